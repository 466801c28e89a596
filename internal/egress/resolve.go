package egress

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// maxAddresses is how many addresses of a host are used. More than a few gain
// nothing, and the answer comes from outside.
const maxAddresses = 16

// Resolve returns where connections for host and port go: the override, the
// address itself, or what the DNS says now; sorted, without doubles, at most
// 16. Addresses that must not be reached are left out; when no other is left,
// the error wraps ErrBlocked.
func (r *Rules) Resolve(ctx context.Context, host string, port uint16) ([]netip.AddrPort, error) {
	if a, ok := r.override(host, port); ok {
		return []netip.AddrPort{a}, nil
	}
	addrs, err := r.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	out := make([]netip.AddrPort, len(addrs))
	for i, a := range addrs {
		out[i] = netip.AddrPortFrom(a, port)
	}
	return out, nil
}

// CheckHost returns an error when the host must not be reached, or when that
// can't be told since it has no address. It is for the moment in which an
// endpoint's URL is saved; Resolve checks again at each connection. Behind a
// proxy a name without an address passes: the proxy may know it.
func (r *Rules) CheckHost(ctx context.Context, host string) error {
	for k := range r.resolve {
		if h := strings.ToLower(host); k == h || strings.HasPrefix(k, h+":") {
			return nil
		}
	}
	_, err := r.addresses(ctx, host)
	if err != nil && r.proxy != "" && !errors.Is(err, ErrBlocked) {
		return nil
	}
	return err
}

// addresses are the allowed addresses of a host.
func (r *Rules) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		if err := CheckAddress(a, r.allowPrivate); err != nil {
			return nil, err
		}
		return []netip.Addr{a.Unmap()}, nil
	}
	found, err := r.lookup(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("resolving %s: %w", host, err)
	}
	var allowed []netip.Addr
	var refused error
	for _, a := range found {
		if err := CheckAddress(a, r.allowPrivate); err != nil {
			refused = err
			continue
		}
		allowed = append(allowed, a.Unmap())
	}
	switch {
	case len(allowed) > 0:
		slices.SortFunc(allowed, netip.Addr.Compare)
		allowed = slices.Compact(allowed)
		return allowed[:min(len(allowed), maxAddresses)], nil
	case refused != nil:
		return nil, fmt.Errorf("resolving %s: %w", host, refused)
	}
	return nil, fmt.Errorf("resolving %s: it has no address", host)
}
