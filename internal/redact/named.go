package redact

// named looks at a colon or an equals sign in text: what stands before it may be
// the name of a secret, as in a piece of JSON within a sentence, in a program or
// in the query of a URL. It returns
// where to go on. Without quotes, and not directly behind an equals sign, it counts
// where it looks like no word of a sentence or a program.
func (s *scanner) named(i int) int {
	if !s.r.kinds.has(namedSecret) {
		return i + 1
	}
	b, end := s.b, i
	for end > 0 && b[end-1] == ' ' && i-end < 4 {
		end--
	}
	quoted := end > 0 && (b[end-1] == '"' || b[end-1] == '\'' || b[end-1] == '`')
	if quoted {
		end--
	}
	start := end
	for start > 0 && end-start <= 24 && (isWord(b[start-1]) || b[start-1] == '-') {
		start--
	}
	if !isSecret(b[start:end]) {
		return i + 1
	}
	from := i + 1
	for from < len(b) && (b[from] == ' ' || b[from] == '=') && from < i+6 {
		from++
	}
	if from == len(b) {
		return i + 1
	}
	to := from
	switch q := b[from]; {
	case q == '"' || q == '\'' || q == '`':
		from++
		for to = from; to < len(b) && b[to] != q && b[to] != '\n'; to++ {
			if b[to] == '\\' && to+1 < len(b) {
				to++
			}
		}
		to = min(to, len(b))
	case b[i] == '=' && from == i+1:
		to = bareEnd(b, from)
	default:
		from, to = bare(b, from, quoted)
	}
	if to <= from || markAt(b[from:to]) == to-from {
		return i + 1
	}
	return s.found(namedSecret, from, to, b[from:to])
}

// bareEnd is where a value without quotes ends.
func bareEnd(b []byte, from int) int {
	to := from
	for to < len(b) && b[to] > ' ' && !contains("&;,\"'<>)`", b[to]) {
		to++
	}
	return to
}

// mostBare is how much of a value without quotes is looked at to tell what it is.
const mostBare = 256

// bareLine is bareEnd, or where in what is escaped the line ends before that.
func bareLine(b []byte, from int) int {
	end := bareEnd(b, from)
	for at := from; at+1 < end; at++ {
		if b[at] == '\\' && contains("nrt\"\\", b[at+1]) {
			return at
		}
	}
	return end
}

// minBare is the length below which a value without quotes is none.
const minBare = 6

// schemes of HTTP's Authorization stand before the value; what follows Bearer is
// found as a token.
var schemes = []string{"Basic ", "basic ", "Token ", "token "}

// bare is the value at from that is in no quotes, as in a file of settings, in YAML
// or a header of HTTP: "aws_secret_access_key = wJalr…", "password: hunter2",
// "Authorization: Basic dXNl…". It is empty where it is more likely a word or a
// call: it has to have a digit, or to stand behind the name of a scheme.
func bare(b []byte, from int, quotedName bool) (start, end int) {
	if quotedName { // a member of JSON, whose value is a number, a list or an object
		return from, from
	}
	after := false
	for _, scheme := range schemes {
		if hasPrefix(b[from:], scheme) {
			from, after = from+len(scheme), true
			break
		}
	}
	// What is long and has no digit near its beginning is passed over without a
	// look at all of it: each of many names in one word would look.
	end = bareLine(b[:min(len(b), from+mostBare)], from)
	digits := after
	for _, c := range b[from:end] {
		if contains("([{$", c) {
			return from, from
		}
		digits = digits || isDigit(c)
	}
	if end-from < minBare || !digits {
		return from, from
	}
	return from, bareLine(b, from)
}

// account looks at a hyphen that may begin "-u user:password" or "--user
// user:password", as one passes them to curl.
func (s *scanner) account(i int) int {
	b := s.b
	for _, flag := range []string{"-u ", "--user ", "--user="} {
		if !hasPrefix(b[i:], flag) || i > 0 && b[i-1] > ' ' && b[i-1] != '\'' && b[i-1] != '"' {
			continue
		}
		if flag == "-u " && !s.near(i, "curl", "http", "wget") { // many programs have one
			continue
		}
		from := i + len(flag)
		if from < len(b) && (b[from] == '"' || b[from] == '\'') {
			from++
		}
		end := bareEnd(b, from)
		for at := from; at < end; at++ {
			if b[at] == ':' && at > from && end-at > 1 && b[at+1] != '/' && !isDigit(b[from]) { // ids of a user and a group
				if markAt(b[at+1:end]) == end-at-1 {
					return end
				}
				return s.found(urlPassword, at+1, end, b[at+1:end])
			}
		}
	}
	return i + 1
}
