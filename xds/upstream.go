package xds

import (
	"net"
	"strconv"
	"time"
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
	// Staged marks the twin of an upstream whose requests pass the upstream
	// stage of the ext_proc server: for calls that have several targets to try.
	Staged bool
}

// Key is the route key of the upstream and the name of its cluster.
func (u Upstream) Key() string {
	if u.Staged {
		u.Staged = false
		return "staged:" + u.Key()
	}
	switch {
	case u.Local != "":
		return "local:" + u.Local
	case u.TLS:
		return "https:" + net.JoinHostPort(u.Host, strconv.Itoa(int(u.Port)))
	default:
		return "http:" + net.JoinHostPort(u.Host, strconv.Itoa(int(u.Port)))
	}
}

// HostHeader is what the upstream is addressed as.
func (u Upstream) HostHeader() string {
	switch {
	case u.Local != "":
		return u.Local
	case u.TLS && u.Port == 443, !u.TLS && u.Port == 80:
		if host := net.JoinHostPort(u.Host, ""); host[0] == '[' {
			return host[:len(host)-1] // an IPv6 address keeps its brackets
		}
		return u.Host
	}
	return net.JoinHostPort(u.Host, strconv.Itoa(int(u.Port)))
}

// Group is a route for calls that may be tried at several staged upstreams.
// Which, and in which order, the ext_proc server says for each call (Groups).
type Group struct {
	Attempts int // at most, from 2
	// HeadTimeout ends an attempt whose reply has not begun by then; 0: the
	// idle timeout does.
	HeadTimeout time.Duration
}

// Key is the route key of the group.
func (g Group) Key() string {
	return "targets:" + strconv.Itoa(g.Attempts) + ":" + g.HeadTimeout.String()
}
