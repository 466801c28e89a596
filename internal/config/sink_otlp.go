package config

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"golang.org/x/net/http/httpguts"
)

// Protocols of SinkOTLP.
const (
	OTLPOverGRPC = "grpc"
	OTLPOverHTTP = "http"
)

// SinkOTLP is a receiver of OpenTelemetry's log records.
type SinkOTLP struct {
	URL       string // https://host:port, or http for one without TLS; with OTLPOverHTTP it may have a path
	Plaintext bool   // http:// to other machines is meant
	Protocol  string // an OTLP constant
	Headers   []SinkHeader
	Compress  bool // by gzip
	Timeout   time.Duration
	TLS       SinkTLS
}

// SinkHeader goes with every request. Its value counts as a secret.
type SinkHeader struct {
	Name   string // lower-case
	Secret string
}

func otlpKeys(s *Sink) fields {
	s.OTLP = &SinkOTLP{Protocol: OTLPOverGRPC, Compress: true, Timeout: 10 * time.Second}
	o := s.OTLP
	return fields{
		"url":       sinkURL(&o.URL, "https://collector.example:4317"),
		"plaintext": boolean(&o.Plaintext),
		"protocol":  oneOf(&o.Protocol, OTLPOverGRPC, OTLPOverHTTP),
		"headers":   headers(&o.Headers),
		"compress":  boolean(&o.Compress),
		"timeout":   duration(&o.Timeout, time.Second),
		"tls":       group(sinkTLSKeys(&o.TLS)),
	}
}

// sinkURL reads where a receiver is. What proves who we are does not belong in
// it.
func sinkURL(into *string, example string) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		if s, ok := n.(*ast.StringNode); ok {
			u, err := url.Parse(s.Value)
			if err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil &&
				u.RawQuery == "" && u.Fragment == "" {
				*into = s.Value
				return
			}
		}
		d.fail(n, key, "want an http or https URL without user, password or query (headers are for these), for example "+example)
	}
}

// headers reads a mapping of header names to values.
func headers(into *[]SinkHeader) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		var out []SinkHeader
		f := fields{}
		for _, name := range keysOf(n) {
			f[name] = func(d *decoder, key string, n ast.Node) {
				h := SinkHeader{Name: strings.ToLower(name)}
				secret(&h.Secret)(d, key, n)
				if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(h.Secret) {
					d.fail(n, key, "want the name of a header and a value without line ends")
				}
				out = append(out, h)
			}
		}
		d.mapping(key, n, f)
		slices.SortFunc(out, func(a, b SinkHeader) int { return strings.Compare(a.Name, b.Name) })
		*into = out
	}
}

// keysOf are the keys of a mapping.
func keysOf(n ast.Node) []string {
	var out []string
	switch m := n.(type) {
	case *ast.MappingNode:
		for _, v := range m.Values {
			out = append(out, v.Key.String())
		}
	case *ast.MappingValueNode:
		out = append(out, m.Key.String())
	}
	return out
}

// checkOTLP returns the key that does not go with the others, and what is wanted.
func checkOTLP(s *Sink) (key, want string) {
	o := s.OTLP
	if problem := o.TLS.problem(); problem != "" {
		return "tls", problem
	}
	u, err := url.Parse(o.URL)
	if err == nil && u.Scheme == "http" && !o.Plaintext && !isLoopback(u.Hostname()) {
		return "url", "want https: records would be readable on the way; plaintext: true allows it"
	}
	if err == nil && u.Scheme == "http" && o.TLS != (SinkTLS{}) {
		return "tls", "goes with https"
	}
	if err == nil && o.Protocol == OTLPOverGRPC && u.Path != "" && u.Path != "/" {
		return "url", "gRPC has no path: give scheme, host and port, or protocol: http"
	}
	return "", ""
}
