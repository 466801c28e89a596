package client

import (
	"io"
	"net/http"
)

// local carries requests to a handler without a connection. The reply's body is
// a pipe, so that a long one is not held in memory.
type local struct{ handler http.Handler }

// RoundTrip returns when the handler has begun its reply.
func (l local) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	r.RequestURI = r.URL.RequestURI()
	body, pipe := io.Pipe()
	w := &localWriter{header: http.Header{}, pipe: pipe, begun: make(chan struct{})}
	go func() {
		defer func() {
			if v := recover(); v != nil {
				w.fail()
				return
			}
			w.WriteHeader(http.StatusOK)
			_ = pipe.Close()
		}()
		l.handler.ServeHTTP(w, r)
	}()
	select {
	case <-w.begun:
	case <-r.Context().Done():
		_ = body.CloseWithError(r.Context().Err())
		return nil, r.Context().Err()
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Header: w.sent, Body: body,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1, Request: r,
	}, nil
}

// localWriter is used by the handler's goroutine; status and sent are set
// before begun is closed.
type localWriter struct {
	header, sent http.Header
	status       int
	pipe         *io.PipeWriter
	begun        chan struct{}
}

func (w *localWriter) Header() http.Header { return w.header }

func (w *localWriter) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status, w.sent = status, w.header.Clone()
	close(w.begun)
}

func (w *localWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.pipe.Write(b)
}

// Flush does nothing: nothing is held back.
func (w *localWriter) Flush() {}

// fail ends a reply whose handler broke it off.
func (w *localWriter) fail() {
	w.WriteHeader(http.StatusInternalServerError)
	_ = w.pipe.CloseWithError(io.ErrUnexpectedEOF)
}
