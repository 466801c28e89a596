// Package probe tries a target before it is saved: it makes one small call as
// the ext_proc server would make it, by the same provider dialects and the same
// credentials, and says what came of it.
package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
	"sluice/extproc/provider/kit"
	"sluice/internal/admin/api"
	"sluice/internal/credentials"
	"sluice/internal/egress"
)

const (
	// timeout bounds a test, the fetch of a token included.
	timeout = 20 * time.Second
	// maxReply bounds what is read of a reply.
	maxReply = 1 << 20
	// maxSaid bounds what a result repeats of a provider's own words.
	maxSaid = 500
)

// Codes of results besides those of package dialect.
const (
	CodeModelUnknown = "provider_model_unknown" // the provider knows no such model
	CodeHostRefused  = "host_refused"           // the rules of egress do not let the address be reached
	CodeNotTestable  = "not_testable"           // the provider has no call that could be tried
)

// Options configure New.
type Options struct {
	HTTP *http.Client // egress.Rules.Client
	// Ambient is that of credentials.Options.
	Ambient *http.Client
	Local   map[string]string // sockets of servers of this process, by Address.Local
	Now     func() time.Time
}

// Prober tries targets. It is safe for concurrent use.
type Prober struct {
	Options
	local map[string]*http.Client
}

// New makes a prober.
func New(o Options) *Prober {
	p := &Prober{Options: o, local: map[string]*http.Client{}}
	for name, socket := range o.Local {
		p.local[name] = &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "unix", socket)
			},
		}}
	}
	return p
}

// sizes are the calls that are tried, by endpoint type: the smallest there are.
// The second is tried where the provider refuses the first as a bad request:
// some models take no limit of this name.
var sizes = map[string]struct{ path, first, second string }{
	provider.TypeChat: {"/v1/chat/completions",
		`{"model":"test","messages":[{"role":"user","content":"Say ok."}],"max_tokens":16}`,
		`{"model":"test","messages":[{"role":"user","content":"Say ok."}]}`},
	provider.TypeCompletions: {"/v1/completions", `{"model":"test","prompt":"Say ok.","max_tokens":16}`, `{"model":"test","prompt":"Say ok."}`},
	provider.TypeEmbeddings:  {"/v1/embeddings", `{"model":"test","input":"ok"}`, ""},
}

// Test tries a target, which the provider's own Check accepts, for an endpoint
// type. The result names no address and no secret.
func (p *Prober) Test(ctx context.Context, t provider.Target, endpointType string) api.TargetTestResult {
	began := p.Now()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	row, known := provider.Lookup(t.Provider)
	call, testable := sizes[endpointType]
	out := api.TargetTestResult{Code: CodeNotTestable, Message: "This provider has no call that could be tried for this endpoint type."}
	if known && testable && row.Answers(endpointType) {
		out = p.try(ctx, row, t, endpointType, call.path, call.first)
		if out.Code == dialect.CodeProviderRejected && out.Status == http.StatusBadRequest && call.second != "" {
			out = p.try(ctx, row, t, endpointType, call.path, call.second)
		}
	}
	out.DurationMillis = p.Now().Sub(began).Milliseconds()
	return out
}

func (p *Prober) try(ctx context.Context, row *provider.Provider, t provider.Target, endpointType, path, body string) api.TargetTestResult {
	route, _ := dialect.Match(http.MethodPost, path)
	req, e := dialect.Parse(route, provider.OperationOf(endpointType), dialect.ContentTypeJSON, []byte(body))
	if e != nil {
		return failed(e.Code, e.Message)
	}
	call, e := provider.Open(t, req, provider.Env{Now: p.Now, ExchangeID: "test"})
	if e != nil {
		return failed(e.Code, e.Message)
	}
	address, err := provider.AddressOf(t)
	if err != nil {
		return failed(dialect.CodeInvalidRequest, err.Error())
	}
	up := call.Upstream()
	if len(up.Batch) > 0 {
		up.Body, up.Batch = up.Batch[0], nil
	}
	secrets, err := p.authorize(ctx, row, t, &up, address)
	if err != nil {
		// Errors of package credentials hold no secret; they name token servers.
		return failed(dialect.CodeCredentialUnavailable, "No token could be had for the provider: "+err.Error()+".")
	}
	status, header, reply, err := p.send(ctx, up, address)
	if err != nil {
		return unreached(ctx, err)
	}
	return p.judge(call, status, header, reply, secrets)
}

// authorize adds what the target authenticates with besides parameters, and
// returns what of that is secret.
func (p *Prober) authorize(ctx context.Context, row *provider.Provider, t provider.Target, up *provider.Upstream, a provider.Address) ([]string, error) {
	if row.Credential == nil {
		return nil, nil
	}
	c, needed := row.Credential(t)
	if !needed {
		return nil, nil
	}
	// A manager of its own forgets the credential when the test is over.
	m := credentials.New(credentials.Options{HTTP: p.HTTP, Ambient: p.Ambient, Now: p.Now})
	defer m.Close()
	before := len(up.Headers)
	if err := m.For(c).Authorize(ctx, up, hostHeader(a)); err != nil {
		return nil, err
	}
	var secrets []string
	for _, h := range up.Headers[min(before, len(up.Headers)):] {
		_, token, _ := strings.Cut(h[1], " ")
		secrets = append(secrets, h[1], token)
	}
	return secrets, nil
}

// hostHeader is the Host header of a request to an address, as Envoy sends it.
func hostHeader(a provider.Address) string {
	if a.Local != "" {
		return a.Local
	}
	if a.Port == 443 && a.TLS || a.Port == 80 && !a.TLS {
		return a.Host
	}
	return net.JoinHostPort(strings.Trim(a.Host, "[]"), strconv.Itoa(int(a.Port)))
}

func (p *Prober) send(ctx context.Context, up provider.Upstream, a provider.Address) (int, http.Header, []byte, error) {
	client, scheme, host := p.HTTP, "http", net.JoinHostPort(strings.Trim(a.Host, "[]"), strconv.Itoa(int(a.Port)))
	if a.TLS {
		scheme = "https"
	}
	if a.Local != "" {
		client, host = p.local[a.Local], a.Local
		if client == nil {
			return 0, nil, nil, errors.New("no such server")
		}
	}
	req, err := http.NewRequestWithContext(ctx, up.Method, scheme+"://"+host+up.Path, bytes.NewReader(up.Body))
	if err != nil {
		return 0, nil, nil, err
	}
	req.Host = hostHeader(a)
	for _, h := range up.Headers {
		req.Header.Set(h[0], h[1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err == nil && len(body) > maxReply {
		err = errTooLarge
	}
	return resp.StatusCode, resp.Header, body, err
}

// judge says what a reply means. The provider's own words have lost the
// target's secrets already; those that were fetched are taken out here.
func (p *Prober) judge(call provider.Call, status int, header http.Header, body []byte, secrets []string) api.TargetTestResult {
	reply := call.Complete(status, header.Get, body)
	if reply.Error == nil {
		return api.TargetTestResult{OK: true, Status: status, Message: "The provider answered as it should: it takes the key and knows the model."}
	}
	code, said := reply.Error.Code, kit.Scrub(reply.Error.Message, secrets)
	if status == http.StatusNotFound && code == dialect.CodeProviderRejected {
		code = CodeModelUnknown
	}
	out := failed(code, sentences[code])
	if out.Message == "" {
		out.Message = fmt.Sprintf("The provider did not answer the call as it should (status %d).", status)
	}
	if said = clip(said); said != "" && telling[code] {
		out.Message += " It says: " + said
	}
	out.Status = status
	return out
}

// telling are the codes of failures of which the provider's own words are told
// to clients; of the others it would be the gateway's again.
var telling = map[string]bool{dialect.CodeProviderRejected: true, CodeModelUnknown: true, dialect.CodeProviderError: true}

// sentences say what to do about the usual failures.
var sentences = map[string]string{
	dialect.CodeProviderCredentialRejected: "The provider refuses the key. Check that it is whole, not revoked, and allowed to use this model.",
	CodeModelUnknown:                       "The provider knows no such model, or does not offer it to this key. Check the model's name.",
	dialect.CodeProviderRateLimited:        "The provider takes the key, but limits its rate or has no credit left for it at the moment. Try again later.",
	dialect.CodeProviderOverloaded:         "The provider is overloaded at the moment. Try again later.",
	dialect.CodeProviderRejected:           "The provider refuses the call. Check the model and the parameters.",
	dialect.CodeProviderContentType:        "What answers there is not the provider's API. Check the address.",
	dialect.CodeProviderReply:              "What answers there is not the provider's API. Check the address.",
	dialect.CodeProviderRedirect:           "The provider answers with a redirect, which is not followed. Check the address.",
}

func failed(code, message string) api.TargetTestResult {
	return api.TargetTestResult{Code: code, Message: message}
}

func clip(s string) string {
	if s = strings.TrimSpace(s); len(s) > maxSaid {
		return strings.ToValidUTF8(s[:maxSaid], "") + "…"
	}
	return s
}

var errTooLarge = errors.New("the reply is too large")

// unreached says why there was no reply. It names no address.
func unreached(ctx context.Context, err error) api.TargetTestResult {
	var connect *egress.ConnectError
	var dns *net.DNSError
	switch {
	case errors.Is(err, errTooLarge):
		return failed(dialect.CodeReplyTooLarge, "What answers there is not the provider's API: its reply is too large. Check the address.")
	case errors.Is(err, egress.ErrBlocked):
		return failed(CodeHostRefused, "The provider's address may not be reached: it is private or otherwise not allowed. See egress.allow_private.")
	case isTLS(err):
		return failed(dialect.CodeProviderTLS, "The provider's certificate is not trusted, or its TLS does not work. See egress.ca_file.")
	case errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil:
		return failed(dialect.CodeProviderTimeout, "The provider did not answer in time.")
	case errors.As(err, &dns):
		return failed(dialect.CodeProviderUnreachable, "The provider's host name is not known. Check the address.")
	case errors.As(err, &connect):
		return failed(dialect.CodeProviderUnreachable, "The provider can't be reached: no connection. Check the address, the network and egress.proxy.")
	}
	return failed(dialect.CodeProviderReset, "The connection to the provider broke before it answered. Try again.")
}
