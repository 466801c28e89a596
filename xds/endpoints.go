package xds

import (
	"net/netip"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"sluice/internal/egress"
)

// loadAssignment is where an upstream is now. Without addresses it is a
// cluster with no host: Envoy answers 503 at once.
//
// Each IPv4 address is an endpoint. IPv6 addresses stand behind them as second
// choices (Envoy tries both, RFC 8305), so that a machine without IPv6 never
// waits for one; where there is no IPv4 address they are the endpoints.
func loadAssignment(u Upstream, at egress.Place) *endpointv3.ClusterLoadAssignment {
	if at.Proxy.IsValid() {
		return assignment(u, []*endpointv3.LbEndpoint{proxiedEndpoint(u, at)})
	}
	first, second := byFamily(at.Addresses)
	endpoints := make([]*endpointv3.LbEndpoint, len(first))
	for i, a := range first {
		endpoints[i] = lbEndpoint(socketAddress(a.Addr().String(), a.Port()))
	}
	for i, a := range second {
		e := endpoints[i%len(endpoints)].GetEndpoint()
		e.AdditionalAddresses = append(e.AdditionalAddresses, &endpointv3.Endpoint_AdditionalAddress{
			Address: socketAddress(a.Addr().String(), a.Port()),
		})
	}
	return assignment(u, endpoints)
}

func assignment(u Upstream, endpoints []*endpointv3.LbEndpoint) *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{
		ClusterName: u.Key(),
		Endpoints:   []*endpointv3.LocalityLbEndpoints{{LbEndpoints: endpoints}},
	}
}

// nowhere stands for the address of a host that only the proxy resolves; it is
// never connected to (RFC 5737).
var nowhere = netip.MustParseAddr("192.0.2.1")

// proxiedEndpoint is reached through the proxy, which is asked for the host's
// name, or for its address where that is known.
func proxiedEndpoint(u Upstream, at egress.Place) *endpointv3.LbEndpoint {
	to := netip.AddrPortFrom(nowhere, u.Port)
	name := u.Host
	if len(at.Addresses) > 0 {
		to, name = at.Addresses[0], ""
	}
	e := lbEndpoint(socketAddress(to.Addr().String(), to.Port()))
	e.GetEndpoint().Hostname = name
	e.Metadata = &corev3.Metadata{TypedFilterMetadata: map[string]*anypb.Any{
		"envoy.http11_proxy_transport_socket.proxy_address": pack(socketAddress(at.Proxy.Addr().String(), at.Proxy.Port())),
	}}
	return e
}

// byFamily returns the IPv4 addresses and then the others; with no IPv4
// address all are first.
func byFamily(addresses []netip.AddrPort) (first, second []netip.AddrPort) {
	for _, a := range addresses {
		if a.Addr().Unmap().Is4() {
			first = append(first, a)
		} else {
			second = append(second, a)
		}
	}
	if len(first) == 0 {
		return second, nil
	}
	return first, second
}

func lbEndpoint(a *corev3.Address) *endpointv3.LbEndpoint {
	return &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
		Endpoint: &endpointv3.Endpoint{Address: a},
	}}
}
