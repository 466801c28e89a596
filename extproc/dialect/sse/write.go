package sse

import "bytes"

// ContentType is the content type of an event stream as servers of the
// dialects send it.
const ContentType = "text/event-stream; charset=utf-8"

// Append adds an event to dst. name is left out when empty; it must hold no
// line end. Line ends in data, of any kind, start a new data line.
func Append(dst []byte, name string, data []byte) []byte {
	if name != "" {
		dst = append(dst, "event: "...)
		dst = append(dst, name...)
		dst = append(dst, '\n')
	}
	for {
		i := bytes.IndexAny(data, "\r\n")
		if i < 0 {
			break
		}
		var line []byte
		line, data = cutLine(data)
		dst = appendLine(dst, line)
	}
	return append(appendLine(dst, data), '\n')
}

func appendLine(dst, line []byte) []byte {
	dst = append(dst, "data: "...)
	dst = append(dst, line...)
	return append(dst, '\n')
}
