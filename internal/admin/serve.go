package admin

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap"

	"sluice/extproc/dialect"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/decision"
	"sluice/internal/identity"
	"sluice/internal/routing"
	"sluice/policies"
)

// access is who may use a route.
type access int

const (
	open          access = iota // anybody
	authenticated               // any known caller; the handler shows what the policy lets them see
	decided                     // whoever the policy lets
)

// route is one row of the table of routes.
type route struct {
	pattern  string
	access   access
	resource string // of the policy's question, where access is decided
	verb     string
	// narrow: a caller whose token is bound to endpoints may use the route too,
	// where its access is authenticated. Where it is decided, the policy engine
	// tells.
	narrow bool
	// scoped: the handler holds to the scope of the decision itself.
	scoped bool
	handle func(*call) error
	doc    doc
}

// ServeHTTP answers one request.
func (s *server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	c := &call{
		s: s, w: &writer{ResponseWriter: rw}, r: r, start: s.Now(),
		id: r.Header.Get("X-Request-Id"), client: identity.ClientAddress(r.Header.Values), dialect: dialect.Of(r.URL.Path),
	}
	if c.id == "" {
		c.id = s.NewID()
	}
	c.safeHeaders()
	defer s.recover(c)
	if err := s.run(c); err != nil {
		s.told(c, err)
	}
}

// operationAPI is the operation of records about calls of this package's routes.
const operationAPI = "api"

func (c *call) safeHeaders() {
	h := c.w.Header()
	h.Set("X-Request-Id", c.id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
}

func (s *server) run(c *call) error {
	rt, err := s.find(c)
	if err != nil {
		return err
	}
	c.route = rt
	if rt.access != open {
		if err := s.authenticate(c); err != nil {
			return err
		}
	}
	if rt.access == authenticated && !rt.narrow && len(c.caller.EndpointIDs()) > 0 {
		if err := s.decide(c, "", "", subject(c.r)); err != nil {
			return err
		}
	}
	if rt.access == decided {
		if err := s.decide(c, rt.resource, rt.verb, subject(c.r)); err != nil {
			return err
		}
		if err := s.hold(c, rt); err != nil {
			return err
		}
	}
	if err := rt.checkParameters(c.r); err != nil {
		return err
	}
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, s.BodyBytes)
	return rt.handle(c)
}

// find asks the table for the route, which fills in the request's path values.
func (s *server) find(c *call) (*route, error) {
	if !routing.Clean(c.r.URL.Path) {
		return nil, errNoSuchPath
	}
	rt, status, allow := s.table.Find(c.r)
	ours := slices.Contains([]dialect.Dialect{dialect.REST, dialect.RESTv4, dialect.RESTTrail, dialect.SCIM}, c.dialect)
	switch {
	case rt != nil:
		return rt, nil
	case status == http.StatusMethodNotAllowed:
		refusal := dialect.MethodNotAllowed(allow)
		if ours {
			refusal.Message = "This path does not take " + c.r.Method + "; it takes " + allow + "."
		}
		return nil, refusal
	case ours:
		return nil, errNoSuchPath
	}
	return nil, dialect.Refuse(c.r.Method, c.r.URL.EscapedPath())
}

// subject is what a path names, for the policy.
func subject(r *http.Request) string {
	for _, key := range []string{"name", "id"} {
		if v := r.PathValue(key); v != "" {
			return v
		}
	}
	return ""
}

func (s *server) authenticate(c *call) error {
	if in, ok := c.ctx().Value(signedInKey{}).(signedIn); ok {
		c.caller, c.client, c.session, c.certificate = in.caller, in.client, in.session, in.certificate
		return nil
	}
	presented, err := identity.PresentedBy(c.r.Header.Values, c.client)
	c.certificate = presented.Certificate.String()
	if err == nil {
		c.caller, err = s.Identity.Authenticate(presented)
	}
	if err == nil {
		return nil
	}
	if wait := s.slow(c, err); wait > 0 {
		return tooManyFailures(wait)
	}
	return s.refuse(c, audit.ResultUnauthenticated, unauthenticated(err))
}

// decide asks the policy whether the caller may do verb to the resource. A
// question without an answer is a no.
func (s *server) decide(c *call, resource, verb, name string) error {
	d, err := s.Policy.Decide(c.ctx(), &policies.Input{
		Action: policies.ActionAPI, Caller: c.caller, Resource: resource, Verb: verb, Name: name,
		Endpoint: s.concerned(c, resource, verb), SourceAddress: c.client, Time: c.start,
	})
	c.decision = d
	if err != nil {
		s.Log.Error("policy did not decide", zap.String("exchange", c.id), zap.Error(err))
		d.Allow = false
	}
	if !d.Allow {
		return s.refuse(c, audit.ResultDenied, denied(d))
	}
	return nil
}

// concerned is the endpoint that a question is about. Reading one is decided
// without it: whether the caller may see it is asked when the handler has
// found it, and told in the dialect's own way.
func (s *server) concerned(c *call, resource, verb string) *catalog.Endpoint {
	if resource != policies.ResourcePermissions && (resource != policies.ResourceEndpoints || verb == policies.VerbRead) {
		return nil
	}
	e, _ := s.Catalog.Snapshot().Get(c.r.PathValue("name"))
	return e
}

// hold holds a request to the scope of its decision, which a bundle may set for
// roles of its own. Handlers that show less to those who may see less do it
// themselves, and so do those of tokens and sessions; an endpoint may be changed by whom the
// policy lets, asked about this one; all else takes the scope "all".
func (s *server) hold(c *call, rt *route) error {
	if rt.scoped {
		return nil
	}
	reads := rt.verb == policies.VerbList || rt.verb == policies.VerbRead
	switch rt.resource {
	case policies.ResourceTokens, policies.ResourceSessions:
		return nil
	case policies.ResourceUsers, policies.ResourceOrganizations:
		if reads {
			return nil
		}
	case policies.ResourceAudit:
		if c.scope() == policies.ScopeOwned {
			return s.asOwner(c)
		}
	case policies.ResourceEndpoints, policies.ResourcePermissions:
		if reads || rt.verb == policies.VerbCreate && c.scope() == policies.ScopeOwned {
			return nil
		}
		if e, ok := s.Catalog.Snapshot().Get(c.r.PathValue("name")); ok {
			return s.covered(c, e)
		}
	}
	if !c.all() {
		return s.beyond(c)
	}
	return nil
}

// asOwner finds the endpoints whose part of a resource the caller may see. Who
// owns none may see nothing.
func (s *server) asOwner(c *call) error {
	list, err := s.owned(c, c.route.resource, c.route.verb)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return s.beyond(c)
	}
	c.owned = list
	return nil
}

// beyond refuses what the decision's scope does not cover.
func (s *server) beyond(c *call) error {
	c.decision.Allow = false
	c.decision.Reasons = []decision.Reason{{
		Code: "not_permitted", Message: "You may do this with what is your own or what you may use only. Ask an administrator.",
	}}
	return s.refuse(c, audit.ResultDenied, denied(c.decision))
}

// refuse records that a caller was turned away and returns what to tell him.
// The body is never part of the record: it may hold keys.
func (s *server) refuse(c *call, result string, e *dialect.Error) error {
	x := &audit.Exchange{
		ID: c.id, Time: c.start, Caller: c.caller, Dialect: string(c.dialect), Operation: operationAPI,
		Method: c.r.Method, Path: identity.WithoutTokens(short(c.r.URL.Path)), ClientAddr: c.client, Decision: c.decision,
	}
	if c.caller != nil {
		x.Credential = c.caller.Credential
	}
	x.Certificate, x.TLS = c.certificate, audit.ReadTLS(c.r.Header.Get(audit.TLSHeader))
	if endpoint, ok := s.Catalog.Snapshot().Get(c.r.PathValue("name")); ok {
		x.EndpointID, x.EndpointName, x.EndpointType = endpoint.ID, endpoint.Name, string(endpoint.Type)
		x.Provider, x.Model = endpoint.First().Provider, endpoint.First().Model
	}
	now := s.Now()
	err := s.Trail.Refuse(x, nil, &audit.Outcome{
		Time: now, Result: result, Status: e.Status, Code: e.Code, Message: identity.WithoutTokens(e.Message), Duration: now.Sub(c.start),
		InputTokens: -1, OutputTokens: -1, CachedTokens: -1, ReasoningTokens: -1,
	})
	if err != nil {
		s.Log.Error("the trail took no record", zap.String("exchange", c.id), zap.Error(err))
		if !s.ServeUnrecorded {
			return errUnrecorded
		}
	}
	return e
}

// maxRecordedPath bounds the path in a record, in bytes: a stranger's must not
// fill the disk. No path that leads to anything is longer.
const maxRecordedPath = 1024

func short(path string) string {
	if len(path) <= maxRecordedPath {
		return path
	}
	return strings.ToValidUTF8(path[:maxRecordedPath], "")
}

// told renders an error, unless the reply has begun: then the connection is
// broken off, so that the client can't take a part for the whole.
func (s *server) told(c *call, err error) {
	if c.ctx().Err() != nil {
		panic(http.ErrAbortHandler) // the client has left
	}
	e := asError(err)
	mistake := e.Status >= http.StatusInternalServerError && e.Status != http.StatusNotImplemented
	if mistake && !errors.Is(err, errUnrecorded) {
		s.Log.Error("request not answered", zap.String("exchange", c.id),
			zap.String("method", c.r.Method), zap.String("route", c.r.Pattern), zap.Error(err))
	}
	if c.w.begun {
		panic(http.ErrAbortHandler)
	}
	c.fail(e)
}

// recover turns a panic into a 500, which names the exchange and nothing else.
func (s *server) recover(c *call) {
	if !routing.Recovered(recover(), s.Log, "panic in a handler", c.id, c.r, c.w.begun) {
		return
	}
	c.fail(errInternal)
}
