// Package routing is what the REST API and the web UI share in answering
// requests: it finds the route of a request before anything of it runs, and
// stops panics at the reply.
package routing

import (
	"net/http"
	"path"
	"runtime/debug"

	"go.uber.org/zap"
)

// Table holds routes of the type R by the patterns of http.ServeMux. Routes are
// added before the first one is looked for; then it is safe for concurrent use.
type Table[R any] struct{ mux http.ServeMux }

// Add puts a route into the table. It panics where the pattern is wrong or
// taken.
func (t *Table[R]) Add(pattern string, route *R) { t.mux.Handle(pattern, entry[R]{route}) }

// Find returns the route of a request, and fills in the request's path values.
// Where there is none it returns nil, and the status and the methods (as in the
// header Allow) that the mux would reply with: 405 for another method.
func (t *Table[R]) Find(r *http.Request) (route *R, status int, allow string) {
	l := &lookup[R]{header: http.Header{}}
	t.mux.ServeHTTP(l, r)
	return l.route, l.status, l.header.Get("Allow")
}

type entry[R any] struct{ route *R }

// ServeHTTP only says that the mux found this route.
func (e entry[R]) ServeHTTP(w http.ResponseWriter, _ *http.Request) { w.(*lookup[R]).route = e.route }

// lookup takes the mux's answer: a route, or the reply of the mux's own
// handlers for a path or method that has none.
type lookup[R any] struct {
	route  *R
	header http.Header
	status int
}

func (l *lookup[R]) Header() http.Header         { return l.header }
func (l *lookup[R]) Write(b []byte) (int, error) { return len(b), nil }
func (l *lookup[R]) WriteHeader(status int)      { l.status = status }

// Clean reports whether a path has no dot segments and no doubled slashes.
func Clean(p string) bool {
	c := path.Clean(p)
	return c == p || c+"/" == p
}

// Recovered looks at what recover returned in the deferred function of a
// handler. It logs a panic, under what and with the exchange's id, and reports
// whether the handler is to reply with an error. Where the reply has begun it
// breaks the connection off, so that the client can't take a part for the whole.
func Recovered(v any, log *zap.Logger, what, exchange string, r *http.Request, begun bool) bool {
	if v == nil {
		return false
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
	log.Error(what, zap.String("exchange", exchange), zap.String("route", r.Pattern),
		zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
	if begun {
		panic(http.ErrAbortHandler)
	}
	return true
}
