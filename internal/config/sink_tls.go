package config

// SinkTLS says how a receiver is verified, and what it is shown. An empty field
// is as egress has it.
type SinkTLS struct {
	CAFile      string // PEM roots to trust besides the system's and those of egress
	Certificate string // PEM file of a client certificate; goes with Key
	Key         string
	ServerName  string // that the receiver's certificate must have; "": the name in its address
}

// sinkTLSKeys are the keys of a group tls.
func sinkTLSKeys(t *SinkTLS) fields {
	return fields{
		"ca_file": text(&t.CAFile), "certificate": text(&t.Certificate), "key": text(&t.Key), "server_name": text(&t.ServerName),
	}
}

// problem says what is wrong with the settings together, "" when nothing is.
func (t *SinkTLS) problem() string {
	if (t.Certificate == "") != (t.Key == "") {
		return "certificate and key go together"
	}
	return ""
}
