package redact

// Bounds of a telephone number (E.164).
const (
	minPhone = 8
	maxPhone = 15
	maxShown = 32 // characters in which one is written
)

// callingCodes are the country codes of E.164 with two digits; 1 and 7 have one,
// all others three.
var callingCodes = func() (t [100]bool) {
	for _, n := range []int{
		20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58, 60, 61, 62, 63, 64, 65, 66,
		81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
	} {
		t[n] = true
	}
	return t
}()

// international reports whether digits are a number with a country code.
func international(d []byte) bool {
	if len(d) < minPhone || len(d) > maxPhone || d[0] == '0' {
		return false
	}
	two := number(d[:2])
	switch {
	case d[0] == '1':
		return len(d) == 11 && nanp(d[1:])
	case d[0] == '7':
		return len(d) == 11
	case callingCodes[two]:
		return true
	}
	// Three digits: 21x to 29x without those given above, 35x, 37x, 38x, 42x, 50x,
	// 59x, 67x to 69x, 80x, 85x, 87x, 88x, 96x, 97x, 99x.
	switch two {
	case 21, 22, 23, 24, 25, 26, 29, 35, 37, 38, 42, 50, 59, 67, 68, 69, 80, 85, 87, 88, 96, 97, 99:
		return true
	}
	return false
}

// nanp reports whether ten digits are a number of North America.
func nanp(d []byte) bool { return d[0] >= '2' && d[3] >= '2' && !(d[1] == '1' && d[2] == '1') }

// phone looks at a + or an opening parenthesis that may begin a number.
func (s *scanner) phone(i int) int {
	if !s.r.kinds.has(phone) || i > 0 && isWord(s.b[i-1]) {
		return i + 1
	}
	d, end, ok := s.dial(i)
	switch {
	case !ok:
		return i + 1
	case s.b[i] == '+' && international(d):
		return s.found(phone, i, end, d)
	case s.b[i] == '(' && len(d) > 0 && d[0] == '+' && international(d[1:]): // (+49) 170 …
		return s.found(phone, i, end, d[1:])
	case s.b[i] == '(' && len(d) == 10 && nanp(d) && i+4 < len(s.b) && s.b[i+4] == ')': // (415) 555-2671
		return s.found(phone, i, end, d)
	case s.b[i] == '(' && len(d) >= 9 && len(d) <= 12 && d[0] == '0' && d[1] != '0': // (089) 1234567
		return s.found(phone, i, end, d)
	}
	return i + 1
}

// dial reads the digits of a number from i on, with spaces, hyphens, full
// stops, slashes and parentheses between them. A zero in parentheses, which is
// not dialled after a country code, is left out. A + within parentheses is kept,
// for the caller to see.
func (s *scanner) dial(i int) (d []byte, end int, ok bool) {
	b, between, opened, digits, n := s.b, 0, false, &s.dialled, 0
	for at := i; at < len(b) && at < i+maxShown; at++ {
		switch c := b[at]; {
		case isDigit(c):
			if n == len(digits) {
				return nil, i, false
			}
			digits[n], n, end, between = c, n+1, at+1, 0
			continue
		case c == '+' && (at == i || at == i+1 && b[i] == '('):
			if at > i {
				digits[n], n = '+', n+1
			}
			continue
		case c == '(' && !opened:
			opened = true
			if at+2 < len(b) && b[at+1] == '0' && b[at+2] == ')' && n > 0 {
				at += 2
				continue
			}
		case c == ')' && opened:
			end = max(end, at)
		case c == ' ', c == '-', c == '.', c == '/':
		case c == 0xc2 && at+1 < len(b) && b[at+1] == 0xa0: // a space that does not break
			at++
		default:
			return digits[:n], end, n > 0 && s.over(end)
		}
		if between++; between > 3 {
			break
		}
	}
	return digits[:n], end, n > 0 && s.over(end)
}

// phoneWords say that a number beside them is one of a telephone.
var phoneWords = []string{"phone", "telephone", "telefon", "teléfono", "téléphone", "tel", "mobil", "handy", "call", "fax", "whatsapp", "sms", "cell", "celular", "móvil", "portable", "msisdn"}

// national looks at a number that begins with 0 (or 00 and a country code) and
// is written in groups, as people write their own country's numbers.
func (s *scanner) national(i int) int {
	if !s.r.kinds.has(phone) {
		return i
	}
	d, end, ok := s.dial(i)
	if !ok || len(d) < 9 {
		return i
	}
	if d[0] == '0' && d[1] == '0' {
		if international(d[2:]) && (end-i > len(d) || s.near(i, phoneWords...)) {
			return s.found(phone, i, end, d[2:])
		}
		return i
	}
	g := s.groupsAt(i)
	switch {
	case d[0] != '0' || len(d) > 12:
		return i
	case end-i == len(d): // in one run: 01701234567
		if len(d) < 9 || !s.near(i, phoneWords...) {
			return i
		}
	case g.lengths[0] < 2 || g.lengths[0] > 6 || isDate(g):
		return i
	}
	return s.found(phone, i, end, d)
}

// isDate reports whether the first runs read as a date: 01.02.2024, 05-12-23,
// 2024-02-01. French numbers have five runs of two digits.
func isDate(g *groups) bool {
	if g.n < 3 || g.seps[0] != g.seps[1] || g.seps[0] == ' ' {
		return false
	}
	l, d := g.lengths, g.digits
	if l[0] == 4 && l[1] == 2 && l[2] == 2 {
		return number(d[4:6]) <= 12 && number(d[6:8]) <= 31
	}
	return l[0] == 2 && l[1] == 2 && (l[2] == 4 || l[2] == 2) && number(d[:2]) <= 31 && number(d[2:4]) <= 31 && !(g.n >= 5 && g.seps[2] == g.seps[0])
}

// grouped looks for a number of North America with separators, and for any
// number that a word before it calls a telephone's.
func (s *scanner) grouped(i int, g *groups) int {
	if !s.r.kinds.has(phone) {
		return i
	}
	d := g.digits[:]
	n3 := g.n >= 3 && g.lengths[0] == 3 && g.lengths[1] == 3 && g.lengths[2] == 4 && g.seps[0] == g.seps[1] && g.seps[0] != '/'
	if n3 && nanp(d) && s.over(g.ends[2]) && (g.seps[0] != ' ' || s.near(i, phoneWords...)) {
		return s.found(phone, i, g.ends[2], d[:10])
	}
	n4 := g.n >= 4 && g.lengths[0] == 1 && d[0] == '1' && g.lengths[1] == 3 && g.lengths[2] == 3 && g.lengths[3] == 4 && g.seps[1] == g.seps[2]
	if n4 && nanp(d[1:]) && s.over(g.ends[3]) && g.seps[0] != '/' {
		return s.found(phone, i, g.ends[3], d[1:11])
	}
	if g.total < 7 || g.total > maxPhone || isDate(g) || !s.near(i, phoneWords...) {
		return i
	}
	if end := g.ends[g.n-1]; s.over(end) && !(g.n == 1 && g.total == 10 && d[0] == '1' && d[1] >= '5') && g.seps[0] != '.' {
		return s.found(phone, i, end, d[:g.total])
	}
	return i
}
