package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// maxAddresses is how many addresses of a host are used. More than a few gain
// nothing, and the answer comes from outside.
const maxAddresses = 16

// Place is where connections for a host and port go.
type Place struct {
	// Addresses are where the host is: sorted, without doubles, at most 16.
	// Behind a proxy there is one at most, and none when the proxy is asked by
	// the host's name.
	Addresses []netip.AddrPort
	// Proxy is where the CONNECT proxy is; zero when there is none.
	Proxy netip.AddrPort
}

// Equal reports whether both are the same.
func (p Place) Equal(q Place) bool {
	return p.Proxy == q.Proxy && slices.Equal(p.Addresses, q.Addresses)
}

// Resolve returns where connections for host and port go: to the override, to
// the address that host is, or to what the DNS says now; behind a proxy, a
// name is left to the proxy. Addresses that must not be reached are left out;
// when no other is left, the error wraps ErrBlocked.
func (r *Rules) Resolve(ctx context.Context, host string, port uint16) (Place, error) {
	var p Place
	if r.proxy != "" {
		addr, err := r.resolveProxy(ctx)
		if err != nil {
			return Place{}, err
		}
		p.Proxy = addr
	}
	if a, ok := r.override(host, port); ok {
		p.Addresses = []netip.AddrPort{a}
		return p, nil
	}
	if direct := r.near(ctx, host, port); r.proxy != "" && len(direct) > 0 {
		return Place{Addresses: direct}, nil
	}
	if r.proxy != "" && !isAddress(host) {
		return p, r.CheckHost(ctx, host)
	}
	addrs, err := r.addresses(ctx, host)
	if err != nil {
		return Place{}, err
	}
	for _, a := range addrs {
		p.Addresses = append(p.Addresses, netip.AddrPortFrom(a, port))
	}
	return p, nil
}

// resolveProxy returns where the proxy is. It may be on a private address: it
// is the operator's own.
func (r *Rules) resolveProxy(ctx context.Context) (netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(r.proxy)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("resolving the proxy: %w", err)
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("resolving the proxy: port %q is not a number", service)
	}
	own := *r
	own.allowPrivate = true
	addrs, err := own.addresses(ctx, host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("resolving the proxy: %w", err)
	}
	return netip.AddrPortFrom(addrs[0], uint16(port)), nil
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
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
	if err := checkName(host); err != nil {
		return nil, err
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
