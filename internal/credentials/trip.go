package credentials

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/aws/smithy-go"
	"golang.org/x/oauth2"

	"sluice/internal/egress"
)

// maxAnswer bounds what is read of a token server's answer.
const maxAnswer = 1 << 20

// trip is what one fetch met on its way. Errors are told from it, never by the
// text of a library's error: those quote answers and URLs, which may hold
// secrets.
type trip struct {
	ctx context.Context // of the fetch: its end ends every request, whatever a library does with contexts

	mu     sync.Mutex // guards what follows: the AWS SDK fetches in goroutines of its own
	host   string     // of the last request
	status int        // of its answer
	err    error      // why there was none
}

// client is base for this trip: what it sends is noted, answers are bounded,
// and no redirect is followed.
func (t *trip) client(base *http.Client) *http.Client {
	next := base.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	return &http.Client{
		Transport:     noting{t, next},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// context is the fetch's, in which golang.org/x/oauth2 finds the client.
func (t *trip) context(base *http.Client) context.Context {
	return context.WithValue(t.ctx, oauth2.HTTPClient, t.client(base))
}

type noting struct {
	trip *trip
	next http.RoundTripper
}

func (n noting) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	stop := context.AfterFunc(n.trip.ctx, cancel)
	resp, err := n.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		stop()
		cancel()
		n.trip.note(req.URL.Host, 0, err)
		return nil, err
	}
	n.trip.note(req.URL.Host, resp.StatusCode, nil)
	// A library's own client, built around this transport, would follow it.
	resp.Header.Del("Location")
	resp.Body = &answer{Reader: io.LimitReader(resp.Body, maxAnswer), body: resp.Body, done: func() { stop(); cancel() }}
	return resp, nil
}

func (t *trip) note(host string, status int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.host, t.status, t.err = host, status, err
}

// answer is a bounded body, whose end lets go of the request's context.
type answer struct {
	io.Reader
	body io.Closer
	done func()
}

func (a *answer) Close() error {
	defer a.done()
	return a.body.Close()
}

// plain is an error of this package, whose text is fit to be shown.
type plain struct{ text string }

func (p plain) Error() string { return p.text }

func plainf(format string, args ...any) error { return plain{fmt.Sprintf(format, args...)} }

// explain says why a fetch failed.
func (t *trip) explain(err error, secrets []string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return plain{redact(t.reason(err), secrets)}
}

func (t *trip) reason(err error) string {
	var own plain
	switch {
	case errors.As(err, &own):
		return own.text
	case t.host == "":
		return "it could not be made from what is configured"
	case t.err != nil && errors.Is(t.ctx.Err(), context.DeadlineExceeded):
		return t.host + " did not answer in time"
	case t.err != nil:
		return t.host + " could not be reached: " + connection(t.err)
	case t.status < 200 || t.status > 299 || code(err) != "":
		return strings.TrimSpace(fmt.Sprintf("%s answered %d %s", t.host, t.status, code(err)))
	}
	return t.host + " answered with something that is no credential"
}

// connection is the text of a connection's failure, where that holds nothing
// that the other side sent.
func connection(err error) string {
	var (
		connect     *egress.ConnectError
		network     *net.OpError
		certificate *tls.CertificateVerificationError
		unknown     x509.UnknownAuthorityError
		name        x509.HostnameError
		alert       tls.AlertError
	)
	switch {
	case errors.As(err, &connect):
		return connect.Error()
	case errors.As(err, &certificate):
		return certificate.Error()
	case errors.As(err, &unknown):
		return unknown.Error()
	case errors.As(err, &name):
		return name.Error()
	case errors.As(err, &network):
		return network.Error()
	case errors.As(err, &alert):
		return alert.Error()
	}
	return "the connection broke"
}

var (
	codeText  = regexp.MustCompile(`^[A-Za-z0-9_.\-]{1,64}$`)
	entraCode = regexp.MustCompile(`\bAADSTS[0-9]{3,9}\b`)
)

// noCode is what the AWS SDK calls an error in whose answer it found no code.
const noCode = "UnknownError"

// code is the machine-readable code of a refusal: OAuth 2.0's "error", with
// Entra's own number, or AWS's.
func code(err error) string {
	var refused *oauth2.RetrieveError
	var api smithy.APIError
	switch {
	case errors.As(err, &refused):
		out := refused.ErrorCode
		if !codeText.MatchString(out) {
			out = ""
		}
		if number := entraCode.FindString(refused.ErrorDescription); number != "" {
			out += " (" + number + ")"
		}
		return strings.TrimSpace(out)
	case errors.As(err, &api) && codeText.MatchString(api.ErrorCode()) && api.ErrorCode() != noCode:
		return api.ErrorCode()
	}
	return ""
}

// redact removes secrets that a server sent back where a code should be.
func redact(text string, secrets []string) string {
	for _, s := range secrets {
		if len(s) >= 4 {
			text = strings.ReplaceAll(text, s, "[redacted]")
		}
	}
	return text
}
