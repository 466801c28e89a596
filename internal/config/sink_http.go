package config

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// SinkHTTP is a service that takes records by POST: lines of JSON, or events of
// Splunk's HTTP Event Collector.
type SinkHTTP struct {
	URL string // scheme, host and port
	// PathSecret is the path with its query: with some services it is what lets in.
	PathSecret string
	Plaintext  bool // http:// to other machines is meant
	Token      string
	Headers    []SinkHeader // go with each request
	TLS        SinkTLS
	Compress   string        // none or gzip
	Timeout    time.Duration // of one request, from connecting to the end of the answer

	// The following are of Splunk only; an empty one is left out, and then is as the
	// token has it.
	Index, Source, SourceType, Host string
	// Acknowledge waits until the indexers have what was sent.
	Acknowledge bool
}

func httpKeys(s *Sink) fields {
	s.HTTP = &SinkHTTP{Compress: "gzip", Timeout: 30 * time.Second}
	return webKeys(s.HTTP)
}

func splunkKeys(s *Sink) fields {
	x := &SinkHTTP{Compress: "gzip", Timeout: 30 * time.Second, Source: "sluice", SourceType: "sluice:audit"}
	s.Splunk = x
	keys := webKeys(x)
	keys["index"], keys["source"], keys["sourcetype"], keys["host"] = text(&x.Index), text(&x.Source), text(&x.SourceType), text(&x.Host)
	keys["acknowledge"] = boolean(&x.Acknowledge)
	return keys
}

func webKeys(x *SinkHTTP) fields {
	return fields{
		"url":       secretURL(x),
		"plaintext": boolean(&x.Plaintext),
		"token":     secret(&x.Token),
		"headers":   headers(&x.Headers),
		"tls":       group(sinkTLSKeys(&x.TLS)),
		"compress":  oneOf(&x.Compress, "none", "gzip"),
		"timeout":   duration(&x.Timeout, 100*time.Millisecond),
	}
}

func checkHTTP(s *Sink) (key, want string) { return checkWeb(s.HTTP) }

func checkSplunk(s *Sink) (key, want string) {
	if p := s.Splunk.PathSecret; strings.Trim(p, "/") != "" {
		return "url", "want no path: it is added, for example https://splunk.corp.example:8088"
	}
	return checkWeb(s.Splunk)
}

func checkWeb(x *SinkHTTP) (key, want string) {
	u, err := url.Parse(x.URL)
	if err != nil {
		return "url", "want https://host:port/path"
	}
	if u.Scheme == "http" && !x.Plaintext && !isLoopback(u.Hostname()) {
		return "url", "want https: records would be readable on the way; plaintext: true allows it"
	}
	if slices.ContainsFunc(x.Headers, func(h SinkHeader) bool { return slices.Contains(managedHeaders, h.Name) }) {
		return "headers", "want none that the sink sets itself: " + strings.Join(managedHeaders, ", ")
	}
	if u.Scheme == "http" && x.TLS != (SinkTLS{}) {
		return "tls", "goes with https"
	}
	return "tls", x.TLS.problem()
}

// isLoopback reports whether a host is this machine by its name.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// secretURL reads a URL whose path may be a secret, as secret does.
func secretURL(x *SinkHTTP) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		before := len(d.errs)
		var whole string
		secret(&whole)(d, key, n)
		if len(d.errs) > before {
			return
		}
		u, err := url.Parse(whole)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
			d.fail(n, key, "want https://host:port/path, without a name and a password (token and headers are for these)")
			return
		}
		x.URL, x.PathSecret = u.Scheme+"://"+u.Host, u.RequestURI()
	}
}

// managedHeaders are set by the sink itself.
var managedHeaders = []string{
	"authorization", "connection", "content-encoding", "content-length", "content-type", "host", "idempotency-key",
	"transfer-encoding", "x-splunk-request-channel",
}
