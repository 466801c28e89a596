// Package client speaks the gateway's REST API. The command line uses it, and
// tests that look at the gateway from outside.
package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

// Options say which gateway to speak to and as whom.
type Options struct {
	Server string // base URL, e.g. "https://127.0.0.1:8443"; a path in it is kept
	Token  string // bare API token; "" sends none
	// CAFile is a PEM file of roots to trust beside the system's. "": none.
	CAFile string
	// CA are roots in PEM to trust beside those. nil: none.
	CA []byte
	// UserAgent is sent with every request. "": "sluice".
	UserAgent string
	// Timeout bounds one request, its reply included. 0: one minute.
	Timeout time.Duration
}

// Client speaks the REST API. It is safe for concurrent use.
type Client struct {
	base  string
	token string
	agent string
	http  *http.Client
	// accept is the type of reply that is asked for; "": JSON.
	accept string
}

// New checks the options and returns a client; it does not connect.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.Server)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("the server %q is not a URL such as https://127.0.0.1:8443", o.Server)
	}
	if u.Scheme == "http" && o.Token != "" && !Loopback(o.Server) {
		return nil, fmt.Errorf("the server %q would get the token in the clear; use https", o.Server)
	}
	transport, err := Transport(o.CAFile, o.CA)
	if err != nil {
		return nil, err
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.UserAgent == "" {
		o.UserAgent = "sluice"
	}
	return &Client{
		base: strings.TrimRight(o.Server, "/"), token: o.Token, agent: o.UserAgent,
		http: &http.Client{Transport: transport, Timeout: o.Timeout, CheckRedirect: noRedirect},
	}, nil
}

// Loopback reports whether a URL is at this machine, so that what is sent in
// the clear leaves it not.
func Loopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// Transport trusts the system's roots, and those in PEM of a file ("": none) and
// of a text (nil: none).
func Transport(caFile string, ca []byte) (*http.Transport, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if caFile == "" && len(ca) == 0 {
		return transport, nil
	}
	pool, err := roots(caFile, ca)
	if err != nil {
		return nil, err
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return transport, nil
}

// noRedirect keeps the token from going anywhere else.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// roots are the system's, and those of a file and of a text.
func roots(file string, text []byte) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if len(text) > 0 && !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("reading the CA: it holds no PEM certificate")
	}
	if file == "" {
		return pool, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the CA file: %w", err)
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("reading the CA file: %s holds no PEM certificate", file)
	}
	return pool, nil
}

// Server is the address of the gateway, without a slash at its end.
func (c *Client) Server() string { return c.base }

// NewLocal returns a client of a handler in the same process. Who makes a
// request is said by its context (see admin.As).
func NewLocal(h http.Handler) *Client {
	return &Client{base: "http://gateway", agent: "sluice", http: &http.Client{Transport: local{h}, CheckRedirect: noRedirect}}
}

// Error is an answer of the gateway that says no.
type Error struct {
	Status    int    // HTTP status
	Code      string // stable code, e.g. "invalid_field"
	Message   string // a sentence
	Field     string // the field that is wrong, or ""
	RequestID string // what administrators find the call by
}

func (e *Error) Error() string {
	s := e.Message
	if s == "" {
		s = "The gateway answered with status " + http.StatusText(e.Status) + "."
	}
	if e.RequestID != "" && e.Status >= http.StatusInternalServerError {
		s += " (request id " + e.RequestID + ")"
	}
	return s
}

// Is lets errors.Is find an *Error by its status: errors.Is(err, &Error{Status: 404}).
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Status == e.Status && (t.Code == "" || t.Code == e.Code)
}

// call sends a request with a JSON body, unless in is nil or raw bytes, and
// reads the reply into out unless it is nil.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	body, err := c.do(ctx, method, path, query, in)
	if err != nil {
		return err
	}
	defer body.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, body)
		return err
	}
	if err := json.NewDecoder(body).Decode(out); err != nil {
		return fmt.Errorf("reading the reply of %s: %w", path, err)
	}
	return nil
}

// patient is a client whose replies may take their time: they end when they end,
// or when the context does.
func (c *Client) patient() *Client {
	long := *c
	long.http = &http.Client{Transport: c.http.Transport, CheckRedirect: c.http.CheckRedirect}
	return &long
}

// accepting returns a client that asks for replies of another type.
func (c *Client) accepting(contentType string) *Client {
	other := *c
	other.accept = contentType
	return &other
}

// do sends a request and returns the body of a reply that is not an error. The
// caller closes it.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, in any) (io.ReadCloser, error) {
	var payload io.Reader
	switch v := in.(type) {
	case nil:
	case []byte:
		payload = bytes.NewReader(v)
	default:
		b, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("writing the request: %w", err)
		}
		payload = bytes.NewReader(b)
	}
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, payload)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("Accept", cmp.Or(c.accept, "application/json"))
	req.Header.Set("User-Agent", c.agent)
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	version, _ := ctx.Value(versionKey{}).(*string)
	if version != nil && *version != "" && method != http.MethodGet {
		req.Header.Set("If-Match", *version)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unreachable(c.base, err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		defer resp.Body.Close()
		return nil, readError(resp)
	}
	if version != nil {
		*version = resp.Header.Get("ETag")
	}
	return resp.Body, nil
}

// unreachable says what a person can do about a connection that failed.
func unreachable(base string, err error) error {
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return fmt.Errorf("the certificate of %s is not from a trusted CA; name the CA's file, or sign in with sluice login: %w", base, err)
	}
	var refused *url.Error
	if errors.As(err, &refused) { // which names the method and the whole address
		err = refused.Err
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("calling %s: nothing answers there; is the gateway running? %w", base, err)
	}
	return fmt.Errorf("calling %s: %w", base, err)
}

// maxError bounds how much of an error's body is read.
const maxError = 1 << 20

// readError reads any of the three shapes of errors: Sluice's, Domino's and
// that of the calls of models.
func readError(resp *http.Response) error {
	e := &Error{Status: resp.StatusCode, RequestID: resp.Header.Get("X-Request-Id")}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxError))
	var shape struct {
		Error                  json.RawMessage
		Code, Field, RequestID string
		Errors                 []string
	}
	if err == nil && json.Unmarshal(body, &shape) == nil {
		e.Code, e.Field = shape.Code, shape.Field
		e.readMessage(shape.Error)
		if len(shape.Errors) > 0 {
			e.Message = strings.Join(shape.Errors, " ")
		}
		if shape.RequestID != "" {
			e.RequestID = shape.RequestID
		}
	}
	return e
}

// readMessage reads a sentence, or OpenAI's object around one.
func (e *Error) readMessage(raw json.RawMessage) {
	if json.Unmarshal(raw, &e.Message) == nil {
		return
	}
	var inner struct{ Message, Code string }
	if json.Unmarshal(raw, &inner) == nil {
		e.Message, e.Code = inner.Message, inner.Code
	}
}
