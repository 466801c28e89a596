package redact

import "net/netip"

// ip looks for an address, of either version, that begins at i.
func (s *scanner) ip(i int) int {
	b, end := s.b, i
	if before := s.before(i); before == '.' || before == '-' || before == '/' && i > 1 && isWord(b[i-2]) {
		return i
	}
	colons, dots := 0, 0
	for end < len(b) && end-i < 48 {
		c := b[end]
		if c == ':' {
			colons++
		} else if c == '.' {
			dots++
		} else if !isHex(c|0x20) && !isDigit(c) {
			break
		}
		end++
	}
	if end < len(b) && (isWord(b[end]) || b[end] == '-') || colons < 2 && dots < 3 {
		return max(i, s.skipColons(i))
	}
	for end > i && (b[end-1] == '.' || b[end-1] == ':' && (end < i+2 || b[end-2] != ':')) {
		end--
	}
	text := string(b[i:end])
	addr, err := netip.ParseAddr(text)
	if err != nil { // an IPv4 address with its port
		ap, err := netip.ParseAddrPort(text)
		if err != nil || !ap.Addr().Is4() {
			return s.skipColons(i)
		}
		addr = ap.Addr()
		for b[end-1] != ':' {
			end--
		}
		end--
	}
	if addr.IsUnspecified() || addr.IsLoopback() {
		return max(end, i+1)
	}
	return s.found(ipAddress, i, end, []byte(addr.String()))
}

// skipColons is where to go on after what is no address: a sign is moved over,
// a word is looked at by others.
func (s *scanner) skipColons(i int) int {
	if s.b[i] == ':' {
		return i + 1
	}
	return i
}
