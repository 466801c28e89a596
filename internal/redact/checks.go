package redact

// The checksums by which numbers that mean somebody are told from those that
// don't. All take digits (or, where said, capital letters) only.

// luhn is ISO/IEC 7812-1, annex B: payment cards.
func luhn(d []byte) bool {
	sum := 0
	for i := range d {
		n := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

// cardRange reports whether a number of this length is one that a payment
// scheme gives out.
func cardRange(d []byte) bool {
	n := len(d)
	p := func(k int) int { return number(d[:k]) }
	switch two, four := p(2), p(4); {
	case d[0] == '4':
		return n == 16 || n == 13 || n == 19 // Visa
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720:
		return n == 16 // Mastercard
	case two == 34 || two == 37:
		return n == 15 // American Express
	case two == 36 || two == 38 || two == 39, four/10 >= 300 && four/10 <= 305:
		return n == 14 || n == 16 // Diners Club
	case four >= 3528 && four <= 3589:
		return n >= 16 // JCB
	case four >= 2200 && four <= 2204:
		return n >= 16 // Mir
	case four == 6011, two == 65, four/10 >= 644 && four/10 <= 649:
		return n >= 16 // Discover, RuPay, Elo
	case two == 62, two == 81:
		return n >= 16 // UnionPay
	case two == 60 || two == 82, four/10 == 508:
		return n == 16 // RuPay
	case four == 5018, four == 5020, four == 5038, four == 5893, four == 6304, four == 6759, four >= 6761 && four <= 6763:
		return n >= 13 // Maestro; shorter ones are no longer given out
	}
	return false
}

// number is what a few digits say.
func number(d []byte) (n int) {
	for _, c := range d {
		n = n*10 + int(c-'0')
	}
	return n
}

// mod97 is the remainder of ISO/IEC 7064: letters count as two digits, A = 10.
func mod97(s []byte) int {
	n := 0
	for _, c := range s {
		if c >= 'A' {
			n = (n*100 + int(c-'A') + 10) % 97
		} else {
			n = (n*10 + int(c-'0')) % 97
		}
	}
	return n
}

// weighted adds up digits times weights.
func weighted(d []byte, weights ...int) (sum int) {
	for i, w := range weights {
		sum += w * int(d[i]-'0')
	}
	return sum
}

// alike reports whether all digits are the same: such numbers pass many
// checksums and mean nobody.
func alike(d []byte) bool {
	for _, c := range d {
		if c != d[0] {
			return false
		}
	}
	return true
}

// ssn is a US social security number or ITIN: no checksum, but areas, groups
// and serials that are never given out.
func ssn(d []byte) bool {
	area, group, serial := number(d[:3]), number(d[3:5]), number(d[5:])
	if area >= 900 { // ITIN
		return group >= 50 && group <= 65 || group >= 70 && group <= 88 || group >= 90 && group <= 92 || group >= 94
	}
	return area != 0 && area != 666 && group != 0 && serial != 0 && number(d) != 78051120 && number(d) != 219099999
}

// nhs is the modulus 11 of the NHS number.
func nhs(d []byte) bool {
	return !alike(d) && (11-weighted(d, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11)%11 == int(d[9]-'0')
}

// steuerID is ISO/IEC 7064 MOD 11,10, and the rule that among the first ten
// digits exactly one comes twice or three times, and no other more than once.
func steuerID(d []byte) bool {
	if d[0] == '0' {
		return false
	}
	var count [10]int
	product := 10
	for _, c := range d[:10] {
		count[c-'0']++
		sum := (int(c-'0') + product) % 10
		if sum == 0 {
			sum = 10
		}
		product = sum * 2 % 11
	}
	repeated := 0
	for _, n := range count {
		if n > 3 {
			return false
		}
		if n > 1 {
			repeated++
		}
	}
	return repeated == 1 && (11-product)%10 == int(d[10]-'0')
}

// nir is the French social security number, 13 digits and the key: 97 less the
// remainder. Corsica's departments have a letter (2A, 2B).
func nir(s []byte) bool {
	var d [15]byte
	copy(d[:], s)
	if d[6] == 'A' || d[6] == 'B' {
		if d[5] != '2' {
			return false
		}
		d[5], d[6] = '1', '9'-(d[6]-'A')
	}
	for _, c := range d {
		if c < '0' || c > '9' {
			return false
		}
	}
	month := number(d[3:5])
	if d[0] == '0' || d[0] == '5' || d[0] == '6' || d[0] == '9' || month == 0 || month > 12 && month < 20 || month > 42 && month < 50 {
		return false
	}
	return 97-number(d[:13])%97 == number(d[13:])
}

// pesel is the Polish number: a date of birth with the century in the month, and
// weights 1 3 7 9.
func pesel(d []byte) bool {
	month, day := number(d[2:4])%20, number(d[4:6])
	if month < 1 || month > 12 || day < 1 || day > 31 || d[2] == '9' && month > 12 {
		return false
	}
	return (10-weighted(d, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3)%10)%10 == int(d[10]-'0')
}

// cpf is the Brazilian number of a person, two check digits modulo 11.
func cpf(d []byte) bool {
	check := func(sum int) int { return sum * 10 % 11 % 10 }
	return !alike(d) && check(weighted(d, 10, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[9]-'0') &&
		check(weighted(d, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[10]-'0')
}

// cnpj is the Brazilian number of a company, as cpf.
func cnpj(d []byte) bool {
	check := func(sum int) int {
		if sum %= 11; sum < 2 {
			return 0
		}
		return 11 - sum
	}
	return !alike(d) && check(weighted(d, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[12]-'0') &&
		check(weighted(d, 6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[13]-'0')
}

// Tables of Verhoeff's algorithm.
var (
	verhoeffD = [10][10]byte{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5}, {2, 3, 4, 0, 1, 7, 8, 9, 5, 6}, {3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
		{4, 0, 1, 2, 3, 9, 5, 6, 7, 8}, {5, 9, 8, 7, 6, 0, 4, 3, 2, 1}, {6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
		{8, 7, 6, 5, 9, 3, 2, 1, 0, 4}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
	}
	verhoeffP = [8][10]byte{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4}, {5, 8, 0, 3, 7, 9, 6, 1, 4, 2}, {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
		{9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1}, {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8},
	}
)

// aadhaar is the Indian number: twelve digits, the first 2 to 9, Verhoeff's check.
func aadhaar(d []byte) bool {
	var c byte
	for i := range d {
		c = verhoeffD[c][verhoeffP[i%8][d[len(d)-1-i]-'0']]
	}
	return c == 0 && d[0] >= '2' && !alike(d)
}

// ahv is the Swiss number: 756 and the check digit of an EAN-13.
func ahv(d []byte) bool {
	sum := weighted(d, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3)
	return d[0] == '7' && d[1] == '5' && d[2] == '6' && (10-sum%10)%10 == int(d[12]-'0')
}

// sin is the Canadian number: Luhn; 0 and 8 do not begin one.
func sin(d []byte) bool { return d[0] != '0' && d[0] != '8' && !alike(d) && luhn(d) }

// bsn is the Dutch number: nine digits, the "test of eleven".
func bsn(d []byte) bool {
	return !alike(d) && weighted(d, 9, 8, 7, 6, 5, 4, 3, 2, -1)%11 == 0
}

// dni is the Spanish number with its letter; X, Y and Z of an NIE stand for 0,
// 1 and 2.
func dni(s []byte) bool {
	var d [8]byte
	copy(d[:], s)
	if d[0] >= 'X' {
		d[0] -= 'X' - '0'
	}
	return "TRWAGMYFPDXBNJZSQVHLCKE"[number(d[:])%23] == s[8]
}

// Values of the characters of a codice fiscale at odd places (the first is
// odd), by digit or letter.
var codiceOdd = [26]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}

// codiceFiscale is the Italian number: sixteen characters, the last of which
// checks the others. Letters stand for digits where two people's would be the
// same (omocodia).
func codiceFiscale(s []byte) bool {
	sum := 0
	for i, c := range s {
		isDigit := c >= '0' && c <= '9'
		switch i {
		case 0, 1, 2, 3, 4, 5, 8, 11, 15:
			if isDigit {
				return false
			}
		default:
			if !isDigit && (c < 'L' || c > 'V' || c == 'O') {
				return false
			}
		}
		n := int(c - 'A')
		if isDigit {
			n = int(c - '0')
		}
		switch {
		case i == 15:
			return sum%26 == n
		case i%2 == 0:
			sum += codiceOdd[n]
		default:
			sum += n
		}
	}
	return false
}

// nino is a UK national insurance number: no checksum, but prefixes that are
// not given out.
func nino(s []byte) bool {
	in := func(set string, c byte) bool {
		for i := range set {
			if set[i] == c {
				return true
			}
		}
		return false
	}
	if in("DFIQUV", s[0]) || in("DFIOQUV", s[1]) || s[8] < 'A' || s[8] > 'D' {
		return false
	}
	switch string(s[:2]) {
	case "BG", "GB", "KN", "NK", "NT", "TN", "ZZ":
		return false
	}
	return true
}
