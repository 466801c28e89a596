package redact

import "slices"

// digitsFirst looks at a word of digits and letters that begins with a digit:
// 12345678Z, 2850 2A….
func (s *scanner) digitsFirst(i, end int) int {
	w := s.b[i:end]
	switch {
	case len(w) == 9 && s.r.kinds.has(esDNI) && allDigits(w[:8]) && classes[w[8]]&upper != 0 && dni(w) && s.over(end):
		return s.found(esDNI, i, end, w)
	case len(w) == 15 && s.r.kinds.has(frNIR) && (w[6] == 'A' || w[6] == 'B') && nir(w) && s.over(end):
		return s.found(frNIR, i, end, w)
	}
	return i
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	return len(b) > 0
}

// lettersFirst looks at a word that begins with letters.
func (s *scanner) lettersFirst(i, end int) int {
	w := s.b[i:end]
	if classes[w[0]]&letter == 0 {
		return i
	}
	before := s.before(i)
	if before == '-' || before == '.' {
		return i
	}
	if len(w) >= 4 && isDigit(w[2]) && isDigit(w[3]) && s.r.kinds.has(iban) {
		if at := s.iban(i); at > i {
			return at
		}
	}
	if before == '/' { // a path, where the weaker ids are often something else
		return i
	}
	switch {
	case len(w) == 16 && s.r.kinds.has(itCodiceFiscale):
		if v := capitals(w); v != nil && codiceFiscale(v) && s.over(end) {
			return s.found(itCodiceFiscale, i, end, v)
		}
	case len(w) == 9 && s.r.kinds.has(esDNI) && w[0] >= 'X' && w[0] <= 'Z' && allDigits(w[1:8]) && classes[w[8]]&upper != 0:
		if dni(w) && s.over(end) {
			return s.found(esDNI, i, end, w)
		}
	}
	return s.nino(i)
}

// capitals is a word of letters and digits in capitals; nil where it has others,
// or letters of both cases.
func capitals(w []byte) []byte {
	v, cases := slices.Clone(w), uint8(0)
	for i, c := range v {
		switch {
		case classes[c]&upper != 0:
			cases |= 1
		case classes[c]&letter != 0:
			cases |= 2
			v[i] -= 'a' - 'A'
		case !isDigit(c):
			return nil
		}
	}
	if cases == 3 {
		return nil
	}
	return v
}

// nino looks for a UK national insurance number: QQ123456C, QQ 12 34 56 C.
func (s *scanner) nino(i int) int {
	if !s.r.kinds.has(ukNINO) || i+9 > len(s.b) {
		return i
	}
	v, n, at := s.scratch[:9], 0, i
	for at < len(s.b) && n < 9 {
		c := s.b[at]
		if (c == ' ' || c == '-') && (n == 2 || n == 4 || n == 6 || n == 8) {
			if at++; at == len(s.b) {
				return i
			}
			c = s.b[at]
		}
		if isLetter := n < 2 || n == 8; isLetter && classes[c]&upper == 0 || !isLetter && !isDigit(c) {
			return i
		}
		v[n] = c
		n++
		at++
	}
	if n < 9 || !nino(v) || !s.over(at) {
		return i
	}
	return s.found(ukNINO, i, at, v)
}

// ibanLengths are the lengths by country (SWIFT's registry of IBANs).
var ibanLengths = map[string]int{
	"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22,
	"CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22,
	"GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30,
	"KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20,
	"MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22,
	"RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26,
	"UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}

// iban looks for an international bank account number, with or without a space
// (or hyphen) after every four characters.
func (s *scanner) iban(i int) int {
	b, v, n, at := s.b, &s.scratch, 0, i
	country := [2]byte{b[i] &^ 0x20, b[i+1] &^ 0x20}
	want := ibanLengths[string(country[:])]
	if want == 0 {
		return i
	}
	small := b[i] >= 'a'
	for at < len(b) && n < want {
		c := b[at]
		if (c == ' ' || c == '-') && n > 0 && n%4 == 0 {
			if at++; at == len(b) {
				return i
			}
			c = b[at]
		}
		if classes[c]&letter != 0 {
			if small != (c >= 'a') {
				return i
			}
			c &^= 0x20
		} else if !isDigit(c) {
			return i
		}
		v[n] = c
		n++
		at++
	}
	if n < want || at < len(b) && isWord(b[at]) {
		return i
	}
	var turned [36]byte
	copy(turned[:], v[4:n])
	copy(turned[n-4:], v[:4])
	if mod97(turned[:n]) != 1 {
		return i
	}
	return s.found(iban, i, at, v[:n])
}
