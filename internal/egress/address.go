package egress

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// ErrBlocked says that an address must not be reached.
var ErrBlocked = errors.New("this address must not be reached")

// CheckAddress returns an error that wraps ErrBlocked when the address must
// not be reached. Metadata services, which give out a machine's own
// credentials, never may; loopback, private and other addresses that are not
// on the public internet only with allowPrivate. An IPv4 address within an
// IPv6 address is judged by both.
func CheckAddress(a netip.Addr, allowPrivate bool) error {
	if a.Zone() != "" {
		return blocked(a, "bound to a network interface")
	}
	for _, form := range append([]netip.Addr{a}, embedded(a)...) {
		if err := checkOne(form, allowPrivate); err != nil {
			return err
		}
	}
	return nil
}

// checkName returns an error that wraps ErrBlocked when a name must not be
// reached whatever the DNS says of it: names of metadata services, and names
// that some resolvers read as IPv4 addresses ("2852039166", "0xa9fea9fe",
// "169.254.43518"). A proxy resolves names itself, so that these are refused
// before it is asked.
func checkName(host string) error {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if slices.Contains(metadataNames, name) {
		return fmt.Errorf("%w: %s is a metadata service", ErrBlocked, host)
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok && strings.Trim(hex, "0123456789abcdef") == "" ||
		last != "" && strings.Trim(last, "0123456789") == "" {
		return fmt.Errorf("%w: %s is neither a name nor an address as it is usually written", ErrBlocked, host)
	}
	return nil
}

// metadataNames are what the clouds call their metadata services.
var metadataNames = []string{
	"metadata.google.internal", "metadata.goog", "metadata", "instance-data", "instance-data.ec2.internal",
	"metadata.tencentyun.com", "metadata.azure.internal",
}

func checkOne(a netip.Addr, allowPrivate bool) error {
	switch {
	case isMetadata(a):
		return blocked(a, "a metadata service")
	case !a.IsValid(), a.IsUnspecified(), a.IsMulticast(), within(a, unusable):
		return blocked(a, "not the address of a machine")
	case allowPrivate:
		return nil
	case a.IsLoopback(), a.IsPrivate(), a.IsLinkLocalUnicast(), within(a, private):
		return blocked(a, "not on the public internet; egress.allow_private or egress.resolve would allow it")
	}
	return nil
}

func blocked(a netip.Addr, why string) error {
	return fmt.Errorf("%w: %s is %s", ErrBlocked, a, why)
}

// metadata are the addresses of the clouds' metadata and credential services.
var metadata = prefixes(
	"169.254.169.254/32",  // AWS, Azure, GCP, OpenStack, Oracle, DigitalOcean
	"169.254.170.2/32",    // AWS ECS task credentials
	"169.254.170.23/32",   // AWS EKS pod identity
	"fd00:ec2::254/128",   // AWS, IPv6
	"fd00:ec2::23/128",    // AWS EKS pod identity, IPv6
	"fd20:ce::254/128",    // GCP, IPv6
	"100.100.100.200/32",  // Alibaba
	"168.63.129.16/32",    // Azure's wire server
	"192.0.0.192/32",      // Oracle, first generation
	"fe80::a9fe:a9fe/128", // 169.254.169.254 by link-local IPv6, OpenStack
)

// private are ranges that netip does not know as private but that are not on
// the public internet.
var private = prefixes(
	"100.64.0.0/10",  // carrier-grade NAT (RFC 6598)
	"192.0.0.0/24",   // IETF assignments (RFC 6890)
	"198.18.0.0/15",  // benchmarking (RFC 2544)
	"fec0::/10",      // site-local, deprecated (RFC 3879)
	"100::/64",       // discard (RFC 6666)
	"64:ff9b:1::/48", // NAT64 for local use (RFC 8215)
)

// unusable are ranges that no machine has.
var unusable = prefixes("0.0.0.0/8", "240.0.0.0/4")

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

func isMetadata(a netip.Addr) bool {
	if within(a, metadata) {
		return true
	}
	for _, e := range embedded(a) {
		if within(e, metadata) {
			return true
		}
	}
	return false
}

func within(a netip.Addr, list []netip.Prefix) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// embedded returns the IPv4 addresses that an IPv6 address stands for.
func embedded(a netip.Addr) []netip.Addr {
	if !a.Is6() {
		return nil
	}
	if a.Is4In6() {
		return []netip.Addr{a.Unmap()}
	}
	b := a.As16()
	v4 := func(at int) netip.Addr { return netip.AddrFrom4([4]byte(b[at : at+4])) }
	switch high := binary.BigEndian.Uint64(b[:8]); {
	case high == 0 && binary.BigEndian.Uint32(b[8:12]) == 0 && !a.IsLoopback() && !a.IsUnspecified():
		return []netip.Addr{v4(12)} // IPv4-compatible (RFC 4291, deprecated)
	case high == 0x0064_ff9b_0000_0000 && binary.BigEndian.Uint32(b[8:12]) == 0:
		return []netip.Addr{v4(12)} // NAT64 (RFC 6052)
	case b[0] == 0x20 && b[1] == 0x02:
		return []netip.Addr{v4(2)} // 6to4 (RFC 3056)
	case binary.BigEndian.Uint32(b[:4]) == 0x2001_0000:
		inverted := binary.BigEndian.Uint32(b[12:]) ^ 0xffff_ffff
		var c [4]byte
		binary.BigEndian.PutUint32(c[:], inverted)
		return []netip.Addr{v4(4), netip.AddrFrom4(c)} // Teredo: server, client (RFC 4380)
	}
	return nil
}
