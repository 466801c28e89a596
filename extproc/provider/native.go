package provider

import (
	"net/http"
	"slices"
	"strings"

	"sluice/extproc/dialect"
	"sluice/extproc/provider/kit"
)

// NativeRequest is a client's call of a provider's own API.
type NativeRequest struct {
	Method string
	Rest   string // path below the API's root, with query, as the client escaped it
	// Headers are the client's own, without its credentials and without what
	// belongs to the connection. Names in lower case.
	Headers [][2]string
	Body    []byte
}

// OpenNative begins a call of a target's own API: method, path and body go as
// they came, with the target's credential.
func OpenNative(t Target, r NativeRequest, env Env) (Call, *dialect.Error) {
	p, ok := Lookup(t.Provider)
	if !ok {
		return nil, dialect.Internal()
	}
	if p.Native == nil {
		return nil, &dialect.Error{
			Status: http.StatusNotImplemented, Code: dialect.CodeNotImplemented, NoRetry: true,
			Message: "The proxy endpoint is not implemented for " + p.Title + " models.",
		}
	}
	n, err := p.Native(p, t)
	if err != nil {
		return nil, dialect.Internal()
	}
	if !n.Serves(r.Rest) {
		return nil, &dialect.Error{
			Status: http.StatusNotFound, Code: dialect.CodeRouteNotFound, NoRetry: true,
			Message: "This path does not belong to the models' API of " + p.Title + ", which is all that can be called here: it begins with " +
				strings.Join(n.Below, " or ") + ".",
		}
	}
	headers := make([][2]string, 0, len(r.Headers)+len(n.Headers))
	for _, h := range r.Headers {
		if !kit.HasHeader(n.Headers, h[0]) {
			headers = append(headers, h)
		}
	}
	return &nativeCall{
		up: Upstream{
			Method: r.Method, Path: n.Root + withQuery(r.Rest, n.Query), Headers: append(headers, n.Headers...), Body: r.Body,
		},
		faults: kit.NewFaults(p, t, dialect.Native, env.ExchangeID),
		usage:  nativeUsage{told: dialect.NoUsage},
	}, nil
}

// OneModel reports whether a target's own API has one model only, which calls
// need not name.
func OneModel(t Target) bool {
	p, ok := Lookup(t.Provider)
	if !ok || p.Native == nil {
		return false
	}
	if p.NativeOnly { // there is no other way to call it
		return true
	}
	n, err := p.Native(p, t)
	return err == nil && n.OneModel
}

// ownParameters are parameters of queries that hold a credential, which is the
// client's and for this gateway, or a signature for another host. In lower case.
var ownParameters = []string{
	"key", "$key", "api_key", "api-key", "apikey", "x-api-key", "access_token", "oauth_token", "token", "subscription-key",
	"authorization", "sig", "signature", "awsaccesskeyid",
}

// withQuery is a path with its query, as it came save the client's credential,
// and with the target's own parameters where the client does not give them.
func withQuery(rest, own string) string {
	path, query, _ := strings.Cut(rest, "?")
	var kept []string
	given := map[string]bool{}
	for part := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(part, "=")
		name = strings.ToLower(strings.ReplaceAll(unescaped(name), "+", " "))
		if part == "" || slices.Contains(ownParameters, name) || strings.HasPrefix(name, "x-amz-") || strings.HasPrefix(name, "x-goog-") {
			continue
		}
		given[name] = true
		kept = append(kept, part)
	}
	for part := range strings.SplitSeq(own, "&") {
		name, _, _ := strings.Cut(part, "=")
		if part != "" && !given[strings.ToLower(unescaped(name))] {
			kept = append(kept, part)
		}
	}
	if len(kept) == 0 {
		return path
	}
	return path + "?" + strings.Join(kept, "&")
}

// nativeCall passes a provider's reply on as it is.
type nativeCall struct {
	up     Upstream
	faults kit.Faults
	usage  nativeUsage
	ctype  string
}

func (c *nativeCall) Upstream() Upstream        { return c.up }
func (c *nativeCall) Usage() dialect.Usage      { return c.usage.told }
func (c *nativeCall) Err() *dialect.Error       { return nil }
func (c *nativeCall) StreamContentType() string { return c.ctype }

// streamTypes are the content types of replies that are passed on piece by
// piece; others are taken whole.
var streamTypes = []string{
	kit.EventStream, "application/x-ndjson", "application/ndjson", "application/stream+json", "application/jsonl",
	"application/vnd.amazon.eventstream", "application/octet-stream", "audio/", "video/", "image/", "application/zip",
}

func (c *nativeCall) IsStream(contentType string) bool {
	kind := strings.ToLower(contentType)
	for _, t := range streamTypes {
		if strings.HasPrefix(kind, t) {
			c.ctype = contentType
			return true
		}
	}
	return false
}

// Complete passes a whole reply on; only an error that repeats the target's
// credential is changed.
func (c *nativeCall) Complete(status int, header func(string) string, body []byte) Reply {
	r := Reply{Status: status, ContentType: header("content-type"), Body: body, Unchanged: true}
	if status < 400 {
		c.usage.whole(header, body)
		return r
	}
	if scrubbed := c.faults.Scrub(body); string(scrubbed) != string(body) {
		r.Body, r.Unchanged = scrubbed, false
	}
	r.Error = c.faults.Told(status, "", "", "")
	return r
}

// Chunk passes the next bytes on.
func (c *nativeCall) Chunk(b []byte, end bool) ([]byte, bool) {
	c.usage.stream(c.ctype, b, end)
	return b, end
}

var _ Call = (*nativeCall)(nil)
