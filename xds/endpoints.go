package xds

import (
	"net/netip"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
)

// loadAssignment is where an upstream is now. Without addresses it is a
// cluster with no host: Envoy answers 503 at once.
//
// Each IPv4 address is an endpoint. IPv6 addresses stand behind them as second
// choices (Envoy tries both, RFC 8305), so that a machine without IPv6 never
// waits for one; where there is no IPv4 address they are the endpoints.
func loadAssignment(u Upstream, addresses []netip.AddrPort) *endpointv3.ClusterLoadAssignment {
	first, second := byFamily(addresses)
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
	return &endpointv3.ClusterLoadAssignment{
		ClusterName: u.Key(),
		Endpoints:   []*endpointv3.LocalityLbEndpoints{{LbEndpoints: endpoints}},
	}
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
