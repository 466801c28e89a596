package egress_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/egress"
)

func TestOfOperator(t *testing.T) {
	known := map[string]string{"redis.corp": "10.1.2.3", "siem.example": "93.184.216.34", "proxy.corp": "10.0.0.1", "trap.corp": "169.254.169.254"}
	lookup := func(_ context.Context, host string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr(known[host])}, nil
	}
	plain, err := egress.New(egress.Options{Lookup: lookup})
	require.NoError(t, err)
	proxied, err := egress.New(egress.Options{Lookup: lookup, Proxy: "http://proxy.corp:3128"})
	require.NoError(t, err)
	ctx := context.Background()
	for name, rules := range map[string]*egress.Rules{"plain": plain, "proxied": proxied} {
		_, err = rules.Resolve(ctx, "10.1.2.3", 6379)
		require.ErrorIs(t, err, egress.ErrBlocked, name)
		for _, host := range []string{"redis.corp", "10.1.2.3"} {
			p, err := rules.OfOperator().Resolve(ctx, host, 6379)
			require.NoError(t, err, name)
			require.False(t, p.Proxy.IsValid(), "%s: a private address is reached directly", name)
			require.Equal(t, []netip.AddrPort{netip.MustParseAddrPort("10.1.2.3:6379")}, p.Addresses, name)
		}
		_, err = rules.OfOperator().Resolve(ctx, "169.254.169.254", 80)
		require.ErrorIs(t, err, egress.ErrBlocked, name)
	}
	_, err = plain.OfOperator().Resolve(ctx, "trap.corp", 80)
	require.ErrorIs(t, err, egress.ErrBlocked)
	p, err := proxied.OfOperator().Resolve(ctx, "siem.example", 443)
	require.NoError(t, err)
	require.True(t, p.Proxy.IsValid(), "what lies outside is reached by the proxy")
}
