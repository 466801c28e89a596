package sse

import "bytes"

// parse reads the fields of one block.
func (r *Reader) parse(raw []byte) Event {
	ev := Event{Raw: raw}
	rest := raw
	if r.skipLF && len(rest) > 0 && rest[0] == '\n' {
		rest = rest[1:]
	}
	rest = r.trimMark(rest)
	lines := 0
	for len(rest) > 0 {
		var line []byte
		line, rest = cutLine(rest)
		if len(line) == 0 || line[0] == ':' {
			continue
		}
		name, value := cutField(line)
		switch string(name) {
		case "data":
			ev.Data = r.addData(ev.Data, value, lines)
			lines++
		case "event":
			ev.Name = value
		case "id":
			if bytes.IndexByte(value, 0) < 0 {
				ev.ID = value
			}
		case "retry":
			if digits(value) {
				ev.Retry = value
			}
		}
	}
	return ev
}

// trimMark removes the byte order mark that a stream, and only its first
// block, may start with. A partial first block may consist of less than it.
func (r *Reader) trimMark(b []byte) []byte {
	if r.marked {
		return b
	}
	r.marked = true
	return bytes.TrimPrefix(b, byteOrderMark)
}

// addData joins data lines. One line, by far the most frequent case, is not
// copied.
func (r *Reader) addData(data, value []byte, lines int) []byte {
	switch lines {
	case 0:
		return value
	case 1:
		r.joined = append(r.joined[:0], data...)
	}
	r.joined = append(append(r.joined, '\n'), value...)
	return r.joined
}

// cutLine returns the first line without its end, and what follows the end.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	head := b
	if i >= 0 {
		head = b[:i]
	}
	if j := bytes.IndexByte(head, '\r'); j >= 0 {
		if j+1 < len(b) && b[j+1] == '\n' {
			return b[:j], b[j+2:]
		}
		return b[:j], b[j+1:]
	}
	if i < 0 {
		return b, nil
	}
	return head, b[i+1:]
}

// cutField splits a line at its first colon and drops one space after it.
func cutField(line []byte) (name, value []byte) {
	name, value, found := bytes.Cut(line, []byte{':'})
	if !found {
		return name, line[len(line):]
	}
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	return name, value
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}
