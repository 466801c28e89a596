package xds

import (
	"net"
	"strconv"
)

// Upstream is an address that Envoy connects to, with its TLS settings.
// Endpoints whose upstreams are equal share one cluster and one route.
type Upstream struct {
	TLS  bool   // connect with TLS and verify the name of the host
	Host string // DNS name in lower case, or an IP address
	Port uint16
	// Local names a server in this process ("practice"), reached over its unix
	// socket; the other fields are then zero.
	Local string
}

// Key is the route key of the upstream and the name of its cluster.
func (u Upstream) Key() string {
	switch {
	case u.Local != "":
		return "local:" + u.Local
	case u.TLS:
		return "https:" + net.JoinHostPort(u.Host, strconv.Itoa(int(u.Port)))
	default:
		return "http:" + net.JoinHostPort(u.Host, strconv.Itoa(int(u.Port)))
	}
}
