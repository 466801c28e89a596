package xds

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	inspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// handshakeTimeout is how long a client may take over the TLS handshake.
const handshakeTimeout = 15 * time.Second

// tlsListener serves HTTPS with the certificate of secretServer, to clients that
// show one of their own where they must.
func tlsListener(addr string, idle time.Duration, clients ClientCertificates) (*listenerv3.Listener, error) {
	manager := httpManager(idle)
	manager.EarlyHeaderMutationExtensions = early(withTLSFacts(untrustedHeaders()))
	if clients != NoClientCertificates {
		// The whole certificate, and no names beside it: Envoy writes names as they
		// are, so that one with a separator in it would read as two.
		manager.ForwardClientCertDetails = hcmv3.HttpConnectionManager_SANITIZE_SET
		manager.SetCurrentClientCertDetails = &hcmv3.HttpConnectionManager_SetCurrentClientCertDetails{Cert: true}
	}
	l, err := listener(listenerTLS, addr, manager)
	if err != nil {
		return nil, err
	}
	// Only this filter tells which name a client asked for.
	l.ListenerFilters = []*listenerv3.ListenerFilter{{
		Name: "tls-inspector",
		ConfigType: &listenerv3.ListenerFilter_TypedConfig{
			TypedConfig: pack(&inspectorv3.TlsInspector{EnableJa3Fingerprinting: no()}),
		},
	}}
	chain := l.FilterChains[0]
	chain.TransportSocket = &corev3.TransportSocket{
		Name:       "tls",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(serverTLS(clients))},
	}
	chain.TransportSocketConnectTimeout = duration(handshakeTimeout)
	return l, nil
}

// plainListener serves HTTP without TLS. The configuration allows it on
// loopback addresses only.
func plainListener(addr string, idle time.Duration) (*listenerv3.Listener, error) {
	return listener(listenerPlain, addr, httpManager(idle))
}

func listener(name, addr string, manager *hcmv3.HttpConnectionManager) (*listenerv3.Listener, error) {
	host, port, err := splitAddress(addr)
	if err != nil {
		return nil, fmt.Errorf("listen address %q: %w", addr, err)
	}
	l := listenerAt(name, socketAddress(host, port), manager)
	// Each worker has its own queue of new connections.
	l.EnableReusePort = yes()
	return l, nil
}

func listenerAt(name string, at *corev3.Address, manager *hcmv3.HttpConnectionManager) *listenerv3.Listener {
	return &listenerv3.Listener{
		Name:                          name,
		Address:                       at,
		PerConnectionBufferLimitBytes: u32(connectionBuffers),
		FilterChains: []*listenerv3.FilterChain{{
			Filters: []*listenerv3.Filter{{
				Name:       "http",
				ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(manager)},
			}},
		}},
	}
}

// insideListener serves HTTP on a unix socket to this gateway's own web UI, so
// that what is tried in it is an ordinary call. Only the gateway's own user can
// open the socket.
func insideListener(socket string, idle time.Duration) *listenerv3.Listener {
	at := pipeAddress(socket)
	at.GetPipe().Mode = 0o600
	l := listenerAt(listenerInside, at, insideManager(idle))
	l.EnableReusePort = no()
	return l
}

// ClientCertificates says whether clients of the TLS listener show a
// certificate.
type ClientCertificates int

// What is asked of clients. One that shows a certificate shows a good one, or is
// not connected.
const (
	NoClientCertificates ClientCertificates = iota
	OptionalClientCertificates
	RequiredClientCertificates
)

// serverTLS offers TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
func serverTLS(clients ClientCertificates) *tlsv3.DownstreamTlsContext {
	c := &tlsv3.DownstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{
		TlsParams:     &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2},
		AlpnProtocols: []string{"h2", "http/1.1"},
		TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{{
			Name: secretServer, SdsConfig: fromADS(),
		}},
	}}
	if clients == NoClientCertificates {
		return c
	}
	c.CommonTlsContext.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{
		ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{Name: secretClients, SdsConfig: fromADS()},
	}
	c.RequireClientCertificate = &wrapperspb.BoolValue{Value: clients == RequiredClientCertificates}
	// A session that is taken up again would not look at newer authorities and
	// revocations.
	c.SessionTicketKeysType = &tlsv3.DownstreamTlsContext_DisableStatelessSessionResumption{DisableStatelessSessionResumption: true}
	c.DisableStatefulSessionResumption = true
	return c
}

// splitAddress reads host:port; an empty host is every IPv4 address.
func splitAddress(addr string) (host string, port uint16, err error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port %q is not a number from 0 to 65535", service)
	}
	switch host {
	case "":
		host = "0.0.0.0"
	case "localhost":
		host = "127.0.0.1"
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return "", 0, fmt.Errorf("host %q is not an IP address: name the address to listen on, for example 0.0.0.0", host)
	}
	return host, uint16(n), nil
}
