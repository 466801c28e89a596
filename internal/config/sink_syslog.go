package config

import (
	"net"
	"time"
)

// SinkSyslog is a receiver of syslog messages (RFC 5424), by TLS (RFC 5425) or
// by plain TCP.
type SinkSyslog struct {
	Address   string // host:port
	Transport string // tls or tcp
	Plaintext bool   // tcp to other machines is meant
	TLS       SinkTLS
	Facility  int // 0 to 23; 13 is log audit
	AppName   string
	// Enterprise is the private enterprise number of the structured data's id; the
	// one in RFC 5612 for documentation by itself.
	Enterprise int
	MaxBytes   int           // of a message; what is longer loses its bodies, then its end
	Timeout    time.Duration // of connecting, and of each writing
}

func syslogKeys(s *Sink) fields {
	x := &SinkSyslog{Transport: "tls", Facility: 13, AppName: "sluice", Enterprise: 32473, MaxBytes: 8192, Timeout: 10 * time.Second}
	s.Syslog = x
	return fields{
		"address":    text(&x.Address),
		"transport":  oneOf(&x.Transport, "tls", "tcp"),
		"plaintext":  boolean(&x.Plaintext),
		"tls":        group(sinkTLSKeys(&x.TLS)),
		"facility":   number(&x.Facility, 0, 23),
		"app_name":   text(&x.AppName),
		"enterprise": number(&x.Enterprise, 1, 1<<32-1),
		"max_bytes":  number(&x.MaxBytes, 1024, 1<<20),
		"timeout":    duration(&x.Timeout, 100*time.Millisecond),
	}
}

// checkSyslog returns the key that does not go with the others, and what is wanted.
func checkSyslog(s *Sink) (key, want string) {
	x := s.Syslog
	host, port, err := net.SplitHostPort(x.Address)
	switch {
	case err != nil || host == "" || port == "":
		return "address", "want host:port, for example siem.corp.example:6514"
	case x.Transport == "tcp" && !x.Plaintext && !isLoopback(host):
		return "transport", "want tls: records would be readable on the way; plaintext: true allows it"
	case x.Transport == "tcp" && x.TLS != SinkTLS{}:
		return "tls", "goes with transport tls"
	case !appName.MatchString(x.AppName):
		return "app_name", "want up to 48 printable ASCII characters without spaces"
	}
	return "tls", x.TLS.problem()
}
