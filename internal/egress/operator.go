package egress

import (
	"context"
	"net/netip"
	"slices"
)

// OfOperator returns the rules for addresses that the configuration itself names,
// such as the sinks of the trail: these may be private, whatever the rules say of
// endpoints, which people choose. A private address is reached directly, past
// the proxy, which is for what lies outside. Metadata services stay out of reach.
func (r *Rules) OfOperator() *Rules {
	own := *r
	own.allowPrivate, own.nearDirect = true, true
	return &own
}

// near are the addresses of a host when all of them are private and the rules
// reach such hosts past the proxy.
func (r *Rules) near(ctx context.Context, host string, port uint16) []netip.AddrPort {
	if !r.nearDirect {
		return nil
	}
	addrs, err := r.addresses(ctx, host)
	if err != nil || slices.ContainsFunc(addrs, func(a netip.Addr) bool { return CheckAddress(a, false) == nil }) {
		return nil // the proxy may know it
	}
	out := make([]netip.AddrPort, len(addrs))
	for i, a := range addrs {
		out[i] = netip.AddrPortFrom(a, port)
	}
	return out
}
