package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"sluice/extproc/dialect"
	"sluice/internal/catalog"
	"sluice/internal/decision"
	"sluice/internal/identity"
	"sluice/policies"
)

// call is one request on its way through the handler. It is used by the
// request's goroutine only.
type call struct {
	s *server
	w *writer
	r *http.Request

	id      string // the exchange id
	client  string // the client's address, as Envoy saw it
	session string // id of the session of the web UI that asks; "": none
	dialect dialect.Dialect
	route   *route // nil until it is found
	start   time.Time

	caller      *identity.Caller    // nil on open routes
	certificate string              // names the one that the client has shown; "": none
	decision    decision.Decision   // on decided routes
	owned       []*catalog.Endpoint // all that the reply may cover, where the scope is "owned"
}

func (c *call) ctx() context.Context { return c.r.Context() }

// scope is what the decision lets the reply cover.
func (c *call) scope() string {
	s, _ := c.decision.Obligations[policies.ObligationScope].(string)
	return s
}

// all reports whether the decision covers everything.
func (c *call) all() bool { return c.scope() == policies.ScopeAll }

// reply writes a JSON value.
func (c *call) reply(status int, value any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(buf.Bytes())
	return nil
}

// fail tells the client an error in the dialect of its path.
func (c *call) fail(e *dialect.Error) {
	status, contentType, body, headers := dialect.Render(c.dialect, e, c.id)
	for _, h := range headers {
		c.w.Header().Set(h[0], h[1])
	}
	c.w.Header().Set("Content-Type", contentType)
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body)
}

// writer remembers whether a reply has begun, after which no error can be told.
type writer struct {
	http.ResponseWriter
	begun bool
}

func (w *writer) WriteHeader(status int) {
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
