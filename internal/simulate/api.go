package simulate

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// api is a wire format made of a table of routes: what a provider is whose
// operations share credentials and the shape of errors.
type api struct {
	routes []apiRoute
	// check refuses a request by its headers; nil: none.
	check func(c *call) *problem
	// render shows a problem in the provider's shape.
	render func(p *problem) reply
	// failure is what the provider says when it fails with a status.
	failure func(status int) *problem
	// broken is what a stream carries when the provider fails in it.
	broken func(c *call) []byte
	// headers are sent with every reply. May be nil.
	headers func(h http.Header, requestID string)
}

var _ wire = (*api)(nil)

// apiRoute is one operation. Its pattern is a path whose segments may be
// "{name}", "prefix{name}" or "{name}:verb"; a segment is taken undecoded, so that
// an escaped slash does not part it.
type apiRoute struct {
	method, pattern string
	serve           func(c *call) (reply, *problem)
	open            bool // no credential needed: a token endpoint
}

// call is one request on its way through an api.
type call struct {
	*Received
	act  Act
	env  env
	args map[string]string // what the pattern's braces hold, decoded
}

// question starts a question about the model that the path or body names.
func (c *call) question(model string) *question {
	return &question{model: model, choices: 1, seed: c.Body}
}

// named is the model that the path or else the body names, empty if none.
func (c *call) named() string {
	if m := c.args["model"]; m != "" {
		return m
	}
	var body struct {
		Model string `json:"model"`
	}
	_ = json.Unmarshal(c.Body, &body) // a broken body is refused by its handler
	return body.Model
}

func (a *api) find(r *Received) (route *apiRoute, args map[string]string, known bool) {
	path, _, _ := strings.Cut(r.Target, "?")
	for i := range a.routes {
		if args, ok := matchPath(a.routes[i].pattern, path); ok {
			known = true
			if a.routes[i].method == r.Method {
				return &a.routes[i], args, true
			}
		}
	}
	return nil, nil, known
}

// matchPath holds a path, as it was on the wire, against a pattern.
func matchPath(pattern, path string) (args map[string]string, ok bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, false
	}
	args = map[string]string{}
	for i, segment := range want {
		before, rest, variable := strings.Cut(segment, "{")
		if !variable {
			if segment != got[i] {
				return nil, false
			}
			continue
		}
		name, after, _ := strings.Cut(rest, "}")
		value, starts := strings.CutPrefix(got[i], before)
		value, ends := strings.CutSuffix(value, after)
		decoded, err := url.PathUnescape(value)
		if !starts || !ends || err != nil || decoded == "" {
			return nil, false
		}
		args[name] = decoded
	}
	return args, true
}

func (a *api) model(r *Received) string {
	_, args, _ := a.find(r)
	return (&call{Received: r, args: args}).named()
}

func (a *api) answer(r *Received, act Act, e env) reply {
	route, args, known := a.find(r)
	if route == nil {
		status := http.StatusNotFound
		if known {
			status = http.StatusMethodNotAllowed
		}
		return a.render(&problem{status: status, message: fmt.Sprintf("%s: %s %s", http.StatusText(status), r.Method, r.Path)})
	}
	c := &call{Received: r, act: act, env: e, args: args}
	if !route.open && a.check != nil {
		if p := a.check(c); p != nil {
			return a.render(p)
		}
	}
	out, p := route.serve(c)
	if p != nil {
		return a.render(p)
	}
	return out
}

func (a *api) fail(_ *Received, status int) reply { return a.render(a.failure(status)) }

func (a *api) errorEvent(r *Received) []byte {
	_, args, _ := a.find(r)
	return a.broken(&call{Received: r, args: args})
}

func (a *api) stamp(h http.Header, requestID string) {
	if a.headers != nil {
		a.headers(h, requestID)
	}
}

// bearerKey is the token of an Authorization header, empty if none.
func bearerKey(r *Received) string {
	if key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return key
	}
	return ""
}

// plainFailure is a failure whose message is the status's own text.
func plainFailure(status int) *problem {
	return &problem{status: status, message: http.StatusText(status)}
}

// errorReply is a problem whose body is v.
func errorReply(status int, v any) reply {
	return reply{status: status, header: jsonHeader(), body: marshal(v)}
}

// streamReply is a stream of server-sent events.
func streamReply(events []event) reply {
	return reply{status: http.StatusOK, header: streamHeader(), events: events}
}
