package xds

import (
	"net/netip"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	proxyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/http_11_proxy/v3"
	rawv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// transportSocket is how the bytes of an upstream's cluster travel; nil is
// plain TCP. With proxied, connections go through the CONNECT proxy that the
// cluster's endpoints name.
func transportSocket(u Upstream, proxied bool) *corev3.TransportSocket {
	var s *corev3.TransportSocket
	if u.TLS {
		s = &corev3.TransportSocket{
			Name:       "tls",
			ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(clientTLS(u))},
		}
	}
	if !proxied {
		return s
	}
	if s == nil {
		s = &corev3.TransportSocket{
			Name:       "plain",
			ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(&rawv3.RawBuffer{})},
		}
	}
	return &corev3.TransportSocket{
		Name: "connect-proxy",
		ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(&proxyv3.Http11ProxyUpstreamTransport{
			TransportSocket: s,
		})},
	}
}

// clientTLS verifies that the upstream is who its host name says, whatever
// address it was reached at.
func clientTLS(u Upstream) *tlsv3.UpstreamTlsContext {
	name, kind := u.Host, tlsv3.SubjectAltNameMatcher_DNS
	sni := u.Host
	if addr, err := netip.ParseAddr(u.Host); err == nil {
		// An address is no server name (RFC 6066), and has its own kind of
		// entry in a certificate.
		name, kind, sni = addr.String(), tlsv3.SubjectAltNameMatcher_IP_ADDRESS, ""
	}
	return &tlsv3.UpstreamTlsContext{
		Sni: sni,
		CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsParams:     &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2},
			AlpnProtocols: []string{"h2", "http/1.1"},
			ValidationContextType: &tlsv3.CommonTlsContext_CombinedValidationContext{
				CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
					DefaultValidationContext: &tlsv3.CertificateValidationContext{
						MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{{
							SanType: kind,
							Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: name}},
						}},
					},
					ValidationContextSdsSecretConfig: &tlsv3.SdsSecretConfig{Name: secretRoots, SdsConfig: fromADS()},
				},
			},
		},
	}
}
