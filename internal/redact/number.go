package redact

// Bounds of numbers that are written in groups.
const (
	maxGroups = 8
	maxDigits = 20
)

// groups is a number as it is written: runs of digits with a character between.
type groups struct {
	lengths [maxGroups]int
	ends    [maxGroups]int // of each run, in the text
	seps    [maxGroups]byte
	n       int // runs
	digits  [maxDigits]byte
	total   int
}

// groupsAt reads the digits from i on: runs with one space, hyphen, full stop or
// slash between.
func (s *scanner) groupsAt(i int) *groups {
	b, g := s.b, &s.groups
	if s.groupsFrom == i {
		return g
	}
	s.groupsFrom = i
	*g = groups{}
	for g.n < maxGroups {
		start := i
		for i < len(b) && isDigit(b[i]) && g.total < maxDigits {
			g.digits[g.total] = b[i]
			g.total++
			i++
		}
		g.lengths[g.n], g.ends[g.n] = i-start, i
		g.n++
		if i+1 >= len(b) || !isDigit(b[i+1]) || g.total == maxDigits {
			break
		}
		switch b[i] {
		case ' ', '-', '.', '/':
		default:
			return g
		}
		g.seps[g.n-1] = b[i]
		i++
	}
	return g
}

// form is how a number may be written, and what makes it one.
type form struct {
	kind    kind
	lengths []int  // of its runs
	seps    string // what may stand between them: one and the same, unless mixed
	mixed   string // what stands between them, in order
	check   func([]byte) bool
	context []string // words of which one must stand before it
}

var taxWords = []string{"nhs"}

// forms, in the order in which they are tried.
var forms = []form{
	{card, []int{4, 4, 4, 4}, " -./", "", isCard, nil},
	{card, []int{4, 4, 8}, " -", "", isCard, nil},
	{card, []int{8, 8}, " -", "", isCard, nil},
	{card, []int{4, 12}, " -", "", isCard, nil},
	{card, []int{4, 6, 5}, " -", "", isCard, nil},
	{card, []int{4, 6, 4}, " -", "", isCard, nil},
	{card, []int{4, 4, 4, 4, 3}, " -", "", isCard, nil},
	{card, []int{4, 4, 4, 1}, " -", "", isCard, nil},
	{frNIR, []int{1, 2, 2, 2, 3, 3, 2}, " .-", "", nir, nil},
	{frNIR, []int{13, 2}, " ", "", nir, nil},
	{frNIR, []int{15}, "", "", nir, nil},
	{brCPF, []int{3, 3, 3, 2}, "", "..-", cpf, nil},
	{brCPF, []int{9, 2}, "-", "", cpf, nil},
	{brCNPJ, []int{2, 3, 3, 4, 2}, "", "../-", cnpj, nil},
	{brCNPJ, []int{14}, "", "", func(d []byte) bool { return !isMoment(d) && cnpj(d) }, nil},
	{chAHV, []int{3, 4, 4, 2}, ". ", "", ahv, nil},
	{chAHV, []int{13}, "", "", ahv, nil},
	{inAadhaar, []int{4, 4, 4}, " -", "", aadhaar, nil},
	{inAadhaar, []int{12}, "", "", aadhaar, []string{"aadhaar", "aadhar", "uidai"}},
	{deSteuerID, []int{2, 3, 3, 3}, " ", "", steuerID, nil},
	{deSteuerID, []int{11}, "", "", steuerID, nil},
	{plPESEL, []int{11}, "", "", pesel, nil},
	{brCPF, []int{11}, "", "", cpf, nil},
	{usSSN, []int{3, 2, 4}, "-", "", ssn, nil},
	{usSSN, []int{3, 2, 4}, " .", "", ssn, []string{"ssn", "social sec", "social_sec", "socialsec", "itin", "tax"}},
	{usSSN, []int{9}, "", "", ssn, []string{"ssn", "social sec", "social_sec", "socialsec", "itin"}},
	{ukNHS, []int{3, 3, 4}, " ", "", nhs, nil},
	{ukNHS, []int{3, 3, 4}, "-", "", nhs, taxWords},
	{ukNHS, []int{10}, "", "", nhs, taxWords},
	{caSIN, []int{3, 3, 3}, " -", "", sin, nil},
	{caSIN, []int{9}, "", "", sin, []string{"sin", "social ins", "social_ins", "socialins"}},
	{nlBSN, []int{9}, "", "", bsn, []string{"bsn", "burgerservice", "sofi"}},
	{nlBSN, []int{4, 2, 3}, ". ", "", bsn, []string{"bsn", "burgerservice", "sofi"}},
}

func isCard(d []byte) bool { return cardRange(d) && luhn(d) && !alike(d) }

// isMoment reports whether digits read as a moment: yyyymmddhhmmss.
func isMoment(d []byte) bool {
	return (d[0] == '1' && d[1] == '9' || d[0] == '2' && d[1] == '0') && number(d[4:6]) <= 12 && number(d[6:8]) <= 31 && number(d[8:10]) < 24
}

// fits reports whether the first runs of g are written so, and where they end.
func (f *form) fits(g *groups) (end, total int, ok bool) {
	n := len(f.lengths)
	if n > g.n {
		return 0, 0, false
	}
	for i, l := range f.lengths {
		if g.lengths[i] != l {
			return 0, 0, false
		}
		total += l
		if i == n-1 {
			break
		}
		switch sep := g.seps[i]; {
		case f.mixed != "":
			ok = sep == f.mixed[i]
		default:
			ok = sep == g.seps[0] && contains(f.seps, sep)
		}
		if !ok {
			return 0, 0, false
		}
	}
	return g.ends[n-1], total, true
}

func contains(set string, c byte) bool {
	for i := range set {
		if set[i] == c {
			return true
		}
	}
	return false
}

// number looks at a word that begins with a digit. It returns where to go on, or
// i where nothing was found.
func (s *scanner) number(i, end int, seen uint8) int {
	if !s.apart(i) {
		return i
	}
	if seen&(letter|underscore) != 0 {
		return s.digitsFirst(i, end)
	}
	if s.b[i] == '0' {
		if at := s.national(i); at > i {
			return at
		}
	}
	g := s.groupsAt(i)
	if g.total < 7 {
		return i
	}
	if n := g.lengths[0]; n >= 13 && n <= 19 { // behind it may be when it expires
		if d := g.digits[:n]; s.r.kinds.has(card) && isCard(d) && s.over(g.ends[0]) {
			return s.found(card, i, g.ends[0], d)
		}
	}
	for k := range forms {
		f := &forms[k]
		if f.lengths[0] != g.lengths[0] || !s.r.kinds.has(f.kind) {
			continue
		}
		stop, total, ok := f.fits(g)
		if !ok || !s.over(stop) || !f.check(g.digits[:total]) || f.context != nil && !s.near(i, f.context...) {
			continue
		}
		return s.found(f.kind, i, stop, g.digits[:total])
	}
	if at := s.grouped(i, g); at > i {
		return at
	}
	// The last run of a DNI is followed by its letter: 12345678-Z.
	if stop := g.ends[0]; g.lengths[0] == 8 && stop+1 < len(s.b) && s.b[stop] == '-' && classes[s.b[stop+1]]&upper != 0 && s.r.kinds.has(esDNI) &&
		s.over(stop+2) {
		if v := append(append([]byte(nil), g.digits[:8]...), s.b[stop+1]); dni(v) {
			return s.found(esDNI, i, stop+2, v)
		}
	}
	return i
}

// apart reports whether a number that begins at i is not the end of something
// else: a version, a UUID, a decimal fraction, an identifier.
func (s *scanner) apart(i int) bool {
	switch s.before(i) {
	case '.':
		return i < 2
	case ',':
		return i < 2 || !isDigit(s.b[i-2]) || s.column(i)
	case '-', '_':
		// "card-4111…" is a number; "a1b2-4111…" is an identifier.
		letters := false
		for k := i - 2; k >= 0 && k > i-20 && isWord(s.b[k]); k-- {
			if classes[s.b[k]]&letter == 0 {
				return false
			}
			letters = true
		}
		return letters || i < 2 || s.b[i-2] <= ' '
	case '#', '$':
		return s.b[i-1] == '#'
	}
	return true
}

// column reports whether what begins behind a digit and a comma is another
// value, as in CSV, and neither thousands nor a short fraction.
func (s *scanner) column(i int) bool {
	n := 0
	for i+n < len(s.b) && isDigit(s.b[i+n]) {
		n++
	}
	return n >= 9 || n == 3 && i+n < len(s.b) && s.b[i+n] == '-' || n == 4 && i+n < len(s.b) && (s.b[i+n] == '-' || s.b[i+n] == ' ')
}

// over reports whether a number that ends here is not the beginning of something
// else.
func (s *scanner) over(end int) bool {
	if end >= len(s.b) {
		return true
	}
	switch c := s.b[end]; {
	case isWord(c):
		return false
	case c == '.' && end+1 < len(s.b) && s.b[end+1] == '0': // once read as floating point
		return end+2 >= len(s.b) || !isWord(s.b[end+2])
	case c == '-' || c == '.':
		return end+1 >= len(s.b) || !isWord(s.b[end+1])
	}
	return true
}
