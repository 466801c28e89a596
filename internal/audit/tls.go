package audit

import "strings"

// TLSHeader is the request header, in lower case, in which Envoy tells what the
// client's connection agreed on: version, cipher and server name, each "-" or empty
// where there is none. Envoy removes it when a client sends it, and from what goes to
// providers.
const TLSHeader = "x-gateway-tls"

// ReadTLS reads the value of TLSHeader. It returns nil when the value tells of
// no encrypted connection.
func ReadTLS(value string) *TLS {
	version, rest, _ := strings.Cut(value, " ")
	cipher, name, _ := strings.Cut(rest, " ") // a proxy may trim an empty name away
	if version == "-" || version == "" {
		return nil
	}
	t := &TLS{Version: version}
	if cipher != "-" {
		t.Cipher = cipher
	}
	if name != "-" {
		t.ServerName = name
	}
	return t
}
