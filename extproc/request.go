package extproc

import (
	"net/http"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"go.uber.org/zap"

	"sluice/extproc/dialect"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/identity"
	"sluice/policies"
)

// maxRecordedPath bounds the path in a record. No path that is served is longer.
const maxRecordedPath = 1024

// smallBody is how long a request may be for its refusal to wait for the rest of it.
const smallBody = 64 << 10

// requestHead authenticates the caller and recognises the call, so that a
// stranger is refused before a body is uploaded. A small body is let come in
// first: Envoy resets an HTTP/2 stream of which it has answered the beginning, and
// curl (as late as 7.88) then loses the answer where it has not sent the rest.
func (x *exchange) requestHead(h *extprocv3.HttpHeaders) *extprocv3.ProcessingResponse {
	resp := x.judgeHead(h)
	if resp.GetImmediateResponse() == nil || h.EndOfStream {
		return resp
	}
	if n, err := strconv.ParseInt(header(h.Headers, "content-length"), 10, 64); err != nil || n > smallBody {
		return resp
	}
	x.refusal = resp
	return requestHeadersContinue
}

// judgeHead is what the head alone tells: to go on, or the refusal, which is recorded.
func (x *exchange) judgeHead(h *extprocv3.HttpHeaders) *extprocv3.ProcessingResponse {
	x.start = x.s.Now()
	x.phase, x.record.Bodies = phaseHead, x.s.Bodies
	method := x.readHead(h.Headers)
	full := x.record.Path
	path, query, _ := strings.Cut(full, "?")
	x.query = query
	// Some clients put their key into the query; and a stranger's path must not
	// fill the disk.
	x.record.Path = path[:min(len(path), maxRecordedPath)]
	x.route.Dialect = dialect.Of(path)
	x.record.Dialect = string(x.route.Dialect)

	route, ok := dialect.Match(method, full)
	if !ok {
		x.keepAs(x.s.Table().Strictest())
		// Nobody asks who it is; the path may repeat what was presented.
		presented, _ := identity.PresentedBy(func(name string) []string { return headerValues(h.Headers, name) }, x.record.ClientAddr)
		x.credential = presented.Credential
		return x.stranger(audit.ResultRefused, dialect.Refuse(method, path))
	}
	x.route = route
	rest, _, _ := strings.Cut(route.Rest, "?")
	x.below = max(0, len(path)-len(rest))
	x.record.Operation, x.record.EndpointName = string(route.Operation), route.Endpoint
	if route.Endpoint != "" {
		x.keepAsEndpoint(route.Endpoint)
	}
	if e := x.authenticate(h.Headers); e != nil {
		return x.stranger(audit.ResultUnauthenticated, e)
	}
	// On the native path too: what can't be read could name any model.
	if enc := header(h.Headers, "content-encoding"); enc != "" && enc != "identity" {
		return x.refuse(audit.ResultRefused, errContentEncoding(), nil)
	}
	if h.EndOfStream {
		x.bare = true
		return x.requestBody(nil)
	}
	return requestHeadersContinue
}

// proceed lets the request go on, changed, whichever of its messages is
// answered.
func (x *exchange) proceed(c *extprocv3.CommonResponse) *extprocv3.ProcessingResponse {
	if x.bare {
		return requestHeadersResponse(c)
	}
	return requestBodyResponse(c)
}

// readHead takes what is needed from the request's headers and returns the method.
func (x *exchange) readHead(m *corev3.HeaderMap) (method string) {
	list := m.GetHeaders()
	x.head = m
	x.headers = make([]string, 0, len(list))
	for _, h := range list {
		switch h.Key {
		case ":method":
			method = value(h)
		case ":path":
			x.record.Path = value(h)
		case "x-request-id":
			x.record.ID = value(h)
		case "x-forwarded-for":
			v := value(h)
			x.record.ClientAddr = strings.TrimSpace(v[strings.LastIndexByte(v, ',')+1:])
		case audit.TLSHeader:
			x.record.TLS = audit.ReadTLS(value(h))
			x.headers = append(x.headers, h.Key)
		case "content-type":
			x.ctype = value(h)
			x.headers = append(x.headers, h.Key)
		case "content-length":
		default:
			if removable(h.Key) {
				x.headers = append(x.headers, h.Key)
			}
		}
	}
	x.record.Time, x.record.Method = x.start, method
	return method
}

// removable reports whether a request header is the client's own and so stays
// behind. Pseudo-headers and host are Envoy's to rewrite, x-envoy-* and
// x-forwarded-* are removed by the route.
func removable(name string) bool {
	return !strings.HasPrefix(name, ":") && name != "host" &&
		!strings.HasPrefix(name, "x-envoy-") && !strings.HasPrefix(name, "x-forwarded-")
}

func (x *exchange) authenticate(m *corev3.HeaderMap) *dialect.Error {
	get := func(name string) []string { return headerValues(m, name) }
	presented, err := identity.PresentedBy(get, x.record.ClientAddr)
	x.credential = presented.Credential
	x.record.Certificate = presented.Certificate.String()
	if err != nil {
		return errUnauthenticated(err)
	}
	caller, err := x.s.Identity.Authenticate(presented)
	if err != nil {
		return errUnauthenticated(err)
	}
	x.record.Caller, x.record.Credential = caller, caller.Credential
	return nil
}

// requestBody takes the whole body through endpoint, check, decision, record
// and translation, in this order: what is refused never went upstream, and
// what goes upstream is recorded.
func (x *exchange) requestBody(body []byte) *extprocv3.ProcessingResponse {
	if x.refusal != nil {
		return x.refusal
	}
	if x.phase != phaseHead {
		return x.refuse(audit.ResultGatewayError, dialect.Internal(), nil)
	}
	if e := x.resolve(body); e != nil {
		return x.refuse(audit.ResultRefused, e, body)
	}
	fits := operationOf(x.entry.Endpoint.Type)
	req, e := dialect.Parse(x.route, fits, x.ctype, body)
	if req != nil {
		req.ClientHeader, req.Query = x.clientHeader, x.query
		x.route.Operation, x.record.Operation = req.Operation, string(req.Operation)
	}
	// A caller who may not use the endpoint learns nothing about his body, so
	// the decision comes first; it is made on what a broken body could tell.
	if denied := x.decide(req, body); denied != nil {
		if denied.Status >= http.StatusInternalServerError {
			return x.refuse(audit.ResultGatewayError, denied, body)
		}
		return x.refuse(audit.ResultDenied, denied, body)
	}
	if x.entry.Endpoint.Disabled {
		return x.refuse(audit.ResultRefused, errEndpointDisabled(x.entry.Endpoint.Name), body)
	}
	if e == nil && !x.route.Operation.Fits(fits) { // a bundle may leave this to us
		e = errWrongType(x.route)
	}
	if e != nil {
		return x.refuse(audit.ResultRefused, e, body)
	}
	x.req = req
	if x.entry.Problem != "" {
		return x.refuse(audit.ResultGatewayError, errEndpointUnavailable(x.entry.Endpoint.Name), body)
	}
	list, e := x.choose()
	if e != nil {
		result := audit.ResultRefused
		if e.Status == http.StatusServiceUnavailable {
			result = audit.ResultGatewayError
		}
		return x.refuse(result, e, body)
	}
	if wait, ok := x.s.limiter.take(x.entry.Endpoint, x.record.Caller.UserID); !ok {
		return x.refuse(audit.ResultRefused, errRateLimited(x.entry.Endpoint.Limit, wait), body)
	}
	x.target = list[0].target
	x.record.Provider, x.record.Model = x.target.Provider, x.target.Model
	if len(x.entry.Targets) > 1 {
		x.record.Target = x.target.Name
	}
	if len(list) > 1 {
		return x.forwardToSeveral(list, body)
	}
	return x.forward(list[0].call, body)
}

// clientHeader looks up a header of the client's own that a provider's API
// may need to know.
func (x *exchange) clientHeader(name string) string {
	if !dialect.HeaderPassed(name) {
		return ""
	}
	return header(x.head, name)
}

// resolve finds the endpoint and settles the operation.
func (x *exchange) resolve(body []byte) *dialect.Error {
	if x.route.Endpoint == "" {
		name, e := dialect.ModelName(body)
		x.keepAsEndpoint(name)
		if e != nil {
			return e
		}
		x.route.Endpoint, x.record.EndpointName = name, name
	}
	entry, ok := x.s.Table().Lookup(x.route.Endpoint)
	if !ok {
		return dialect.EndpointNotFound(x.route.Endpoint)
	}
	x.entry = entry
	e := entry.Endpoint
	r := &x.record
	r.EndpointID, r.EndpointName, r.EndpointType = e.ID, e.Name, string(e.Type)
	r.Provider, r.Model = e.First().Provider, e.First().Model
	if x.route.Operation == "" && !x.route.Unified {
		x.route.Operation = operationOf(e.Type)
	}
	r.Operation = string(x.route.Operation)
	return nil
}

// reasonEndpointType is the default bundle's code for a caller who may use the
// endpoint but asks it for what it does not do: a mistake, told as one.
const reasonEndpointType = "endpoint_type"

// decide asks the policy. It returns nil for an allow.
func (x *exchange) decide(req *dialect.Request, body []byte) *dialect.Error {
	facts := policies.RequestFacts{
		Dialect: string(x.route.Dialect), Operation: string(x.route.Operation), BodyBytes: len(body),
	}
	if x.route.Dialect == dialect.Native {
		facts.Native = x.nativeFacts(body)
	}
	if req != nil {
		facts.Stream, facts.MaxTokens, facts.Tools = req.Stream, req.MaxTokens, req.Tools
		x.record.Stream, x.record.MaxTokens = req.Stream, req.MaxTokens
	}
	d, err := x.s.Policy.Decide(x.ctx, &policies.Input{
		Action: policies.ActionInvoke, Caller: x.record.Caller, Endpoint: x.entry.Endpoint,
		Request: &facts, SourceAddress: x.record.ClientAddr, Time: x.start,
	})
	x.record.Decision = d
	x.oblige(d)
	if err != nil {
		x.keepAs(audit.BodiesNone) // which is what the policy might have said
		x.s.Log.Error("policy did not decide", zap.String("exchange", x.record.ID), zap.Error(err))
		x.s.Metrics.decisions.WithLabelValues("error", d.Code()).Inc()
		return errNoDecision()
	}
	if !d.Allow {
		x.s.Metrics.decisions.WithLabelValues("deny", d.Code()).Inc()
		if d.Code() == reasonEndpointType {
			return errWrongType(x.route)
		}
		return errDenied(d, x.entry.Endpoint.Name)
	}
	x.s.Metrics.decisions.WithLabelValues("allow", d.Code()).Inc()
	return nil
}

func operationOf(t catalog.EndpointType) dialect.Operation {
	switch t {
	case catalog.TypeChat:
		return dialect.Chat
	case catalog.TypeCompletions:
		return dialect.Completions
	case catalog.TypeEmbeddings:
		return dialect.Embeddings
	}
	return ""
}
