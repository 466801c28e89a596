package extproc

import (
	"net/http"
	"strconv"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"go.uber.org/zap"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/identity"
	"sluice/policies"
	"sluice/xds"
)

// maxRecordedPath bounds the path in a record. No path that is served is longer.
const maxRecordedPath = 1024

// requestHead authenticates the caller and recognises the call, so that a
// stranger is refused before a body is uploaded.
func (x *exchange) requestHead(h *extprocv3.HttpHeaders) *extprocv3.ProcessingResponse {
	x.start = x.s.Now()
	x.phase = phaseHead
	method := x.readHead(h.Headers)
	path, _, _ := strings.Cut(x.record.Path, "?")
	// Some clients put their key into the query; and a stranger's path must not
	// fill the disk.
	x.record.Path = path[:min(len(path), maxRecordedPath)]
	x.route.Dialect = dialect.Of(path)
	x.record.Dialect = string(x.route.Dialect)

	route, ok := dialect.Match(method, path)
	if !ok {
		return x.refuse(audit.ResultRefused, dialect.Refuse(method, path), nil)
	}
	x.route = route
	x.record.Operation, x.record.EndpointName = string(route.Operation), route.Endpoint
	if e := x.authenticate(h.Headers); e != nil {
		return x.refuse(audit.ResultUnauthenticated, e, nil)
	}
	if enc := header(h.Headers, "content-encoding"); enc != "" && enc != "identity" {
		return x.refuse(audit.ResultRefused, errContentEncoding(), nil)
	}
	if h.EndOfStream {
		return x.requestBody(nil)
	}
	return requestHeadersContinue
}

// readHead takes what is needed from the request's headers and returns the method.
func (x *exchange) readHead(m *corev3.HeaderMap) (method string) {
	list := m.GetHeaders()
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
	credential, err := identity.CredentialFrom(func(name string) []string { return headerValues(m, name) })
	if err != nil {
		return errUnauthenticated(err)
	}
	caller, err := x.s.Identity.Authenticate(credential)
	if err != nil {
		return errUnauthenticated(err)
	}
	x.record.Caller, x.record.Credential = caller, "token"
	return nil
}

// requestBody takes the whole body through endpoint, check, decision, record
// and translation, in this order: what is refused never went upstream, and
// what goes upstream is recorded.
func (x *exchange) requestBody(body []byte) *extprocv3.ProcessingResponse {
	if x.phase != phaseHead {
		return x.refuse(audit.ResultGatewayError, dialect.Internal(), nil)
	}
	if e := x.resolve(body); e != nil {
		return x.refuse(audit.ResultRefused, e, body)
	}
	req, e := dialect.Parse(x.route, x.route.Operation, x.ctype, body)
	// A caller who may not use the endpoint learns nothing about his body, so
	// the decision comes first; it is made on what a broken body could tell.
	if denied := x.decide(req, len(body)); denied != nil {
		if denied.Status >= http.StatusInternalServerError {
			return x.refuse(audit.ResultGatewayError, denied, body)
		}
		return x.refuse(audit.ResultDenied, denied, body)
	}
	if x.route.Operation != operationOf(x.entry.Endpoint.Type) { // a bundle may leave this to us
		e = errWrongType(x.route)
	}
	if e != nil {
		return x.refuse(audit.ResultRefused, e, body)
	}
	x.req = req
	if x.entry.Problem != "" {
		return x.refuse(audit.ResultGatewayError, errEndpointUnavailable(x.entry.Endpoint.Name), body)
	}
	call, e := provider.Open(x.entry.Target, req, provider.Env{Now: x.s.Now, ExchangeID: x.record.ID})
	if e != nil {
		return x.refuse(audit.ResultRefused, e, body)
	}
	if wait, ok := x.s.limiter.take(x.entry.Endpoint, x.record.Caller.UserID); !ok {
		return x.refuse(audit.ResultRefused, errRateLimited(x.entry.Endpoint.Limit, wait), body)
	}
	return x.forward(call, body)
}

// forward writes the request half and hands the provider's request to Envoy.
func (x *exchange) forward(call provider.Call, body []byte) *extprocv3.ProcessingResponse {
	up := call.Upstream()
	if err := x.s.Trail.Begin(&x.record, body); !x.recorded(err) {
		x.phase = phaseDone
		return x.unrecorded()
	}
	x.call, x.phase = call, phaseUpstream
	return requestBodyResponse(&extprocv3.CommonResponse{
		HeaderMutation:  x.upstreamHeaders(up),
		BodyMutation:    replaceBody(up.Body),
		ClearRouteCache: true,
	})
}

// resolve finds the endpoint and settles the operation.
func (x *exchange) resolve(body []byte) *dialect.Error {
	if x.route.Endpoint == "" {
		name, e := dialect.ModelName(body)
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
	if x.route.Operation == "" {
		x.route.Operation = operationOf(e.Type)
	}
	r.Operation = string(x.route.Operation)
	return nil
}

// reasonEndpointType is the default bundle's code for a caller who may use the
// endpoint but asks it for what it does not do: a mistake, told as one.
const reasonEndpointType = "endpoint_type"

// decide asks the policy. It returns nil for an allow.
func (x *exchange) decide(req *dialect.Request, size int) *dialect.Error {
	facts := policies.RequestFacts{
		Dialect: string(x.route.Dialect), Operation: string(x.route.Operation), BodyBytes: size,
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
	if err != nil {
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

// upstreamHeaders is the whole set of changes that turn the client's head into
// the provider's: the client's own headers go, the provider's come.
func (x *exchange) upstreamHeaders(up provider.Upstream) *extprocv3.HeaderMutation {
	set := make([]*corev3.HeaderValueOption, 0, len(up.Headers)+3)
	// Envoy refuses a body whose length is not the one that the head says.
	set = append(set, setHeader(xds.RouteHeader, x.entry.Route), setHeader(":path", up.Path),
		setHeader("content-length", strconv.Itoa(len(up.Body))))
	for _, h := range up.Headers {
		set = append(set, setHeader(h[0], h[1]))
	}
	remove := x.headers[:0]
	for _, name := range x.headers {
		if !isSet(up.Headers, name) {
			remove = append(remove, name)
		}
	}
	return &extprocv3.HeaderMutation{SetHeaders: set, RemoveHeaders: remove}
}

func isSet(headers [][2]string, name string) bool {
	for _, h := range headers {
		if strings.EqualFold(h[0], name) {
			return true
		}
	}
	return false
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
