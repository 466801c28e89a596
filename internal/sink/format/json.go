package format

import (
	"strconv"
	"time"

	"sluice/internal/audit"
)

// writer appends JSON. Members of objects and items of lists follow each other
// in the order in which they are written.
type writer struct{ b []byte }

// next puts a comma where one is due.
func (w *writer) next() {
	switch w.b[len(w.b)-1] {
	case '{', '[', ':':
	default:
		w.b = append(w.b, ',')
	}
}

func (w *writer) key(name string) {
	w.next()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

// open begins an object as a member, close ends what was begun last.
func (w *writer) open(name string) {
	w.key(name)
	w.b = append(w.b, '{')
}

func (w *writer) close() { w.b = append(w.b, '}') }

func (w *writer) openList(name string) {
	w.key(name)
	w.b = append(w.b, '[')
}

func (w *writer) closeList() { w.b = append(w.b, ']') }

// item begins an object of a list.
func (w *writer) item() {
	w.next()
	w.b = append(w.b, '{')
}

// text writes a member unless it is empty.
func (w *writer) text(name, value string) {
	if value != "" {
		w.key(name)
		w.b = audit.AppendString(w.b, value)
	}
}

// word writes a member whose value is one of this package's: nothing in it needs
// an escape.
func (w *writer) word(name, value string) {
	w.key(name)
	w.b = append(w.b, '"')
	w.b = append(w.b, value...)
	w.b = append(w.b, '"')
}

func (w *writer) int(name string, value int64) {
	w.key(name)
	w.b = strconv.AppendInt(w.b, value, 10)
}

// number writes a member unless it is zero.
func (w *writer) number(name string, value int64) {
	if value != 0 {
		w.int(name, value)
	}
}

// known writes a number that may be audit.Unknown, unless it is.
func (w *writer) known(name string, value int64) {
	if value != audit.Unknown {
		w.int(name, value)
	}
}

func (w *writer) flag(name string, value bool) {
	if value {
		w.key(name)
		w.b = append(w.b, "true"...)
	}
}

// millis writes a time as milliseconds since 1970, unless there is none.
func (w *writer) millis(name string, t time.Time) {
	if !t.IsZero() {
		w.int(name, t.UnixMilli())
	}
}

// list writes a list of texts unless it is empty.
func (w *writer) list(name string, values ...string) {
	if len(values) == 0 {
		return
	}
	w.openList(name)
	for _, v := range values {
		w.next()
		w.b = audit.AppendString(w.b, v)
	}
	w.closeList()
}

// any writes a member whose name is not one of this package.
func (w *writer) any(name, value string) {
	w.next()
	w.b = audit.AppendString(w.b, name)
	w.b = append(w.b, ':')
	w.b = audit.AppendString(w.b, value)
}
