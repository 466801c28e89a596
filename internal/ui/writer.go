package ui

import (
	"compress/gzip"
	"net/http"
	"strings"
)

// writer compresses what the browser takes compressed, and remembers whether a
// reply has begun.
type writer struct {
	http.ResponseWriter
	begun bool
	takes bool // the browser takes gzip
	gz    *gzip.Writer
}

func newWriter(w http.ResponseWriter, r *http.Request) *writer {
	return &writer{ResponseWriter: w, takes: takesGzip(r)}
}

func takesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(name, "gzip") && !strings.HasPrefix(strings.ReplaceAll(q, " ", ""), "q=0") {
			return true
		}
	}
	return false
}

func (w *writer) WriteHeader(status int) {
	if w.begun {
		return
	}
	w.begun = true
	h := w.Header()
	html := strings.HasPrefix(h.Get("Content-Type"), "text/html")
	if html {
		h.Add("Vary", "Accept-Encoding")
	}
	if w.takes && html && h.Get("Content-Encoding") == "" {
		h.Set("Content-Encoding", "gzip")
		w.gz = gzip.NewWriter(w.ResponseWriter)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.gz != nil {
		return w.gz.Write(b)
	}
	return w.ResponseWriter.Write(b)
}

// end writes what the compressor still holds.
func (w *writer) end() {
	if w.gz != nil {
		_ = w.gz.Close() // the browser has left
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
