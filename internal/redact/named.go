package redact

// named looks at a colon or an equals sign in text: what stands before it may be
// the name of a secret, as in a piece of JSON within a sentence, in a program or
// in the query of a URL. A value behind a colon counts only in quotes. It returns
// where to go on.
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
		for to < len(b) && b[to] > ' ' && !contains("&;,\"'<>)`", b[to]) {
			to++
		}
	}
	if to <= from || markAt(b[from:to]) == to-from {
		return i + 1
	}
	return s.found(namedSecret, from, to, b[from:to])
}
