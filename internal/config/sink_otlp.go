package config

import (
	"errors"
	"net/url"
	"os"
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
	URL      string // https://host:port, or http for one without TLS; with OTLPOverHTTP it may have a path
	Protocol string // an OTLP constant
	Headers  []SinkHeader
	Compress bool // by gzip
	Timeout  time.Duration
	CAFile   string // certificates of authorities that the receiver is trusted by; "": egress.ca_file
	// Certificate and Key are what we show the receiver; both or neither.
	Certificate, Key string
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
		"url":         sinkURL(&o.URL, "https://collector.example:4317"),
		"protocol":    oneOf(&o.Protocol, OTLPOverGRPC, OTLPOverHTTP),
		"headers":     headers(&o.Headers),
		"compress":    boolean(&o.Compress),
		"timeout":     duration(&o.Timeout, time.Second),
		"ca_file":     text(&o.CAFile),
		"certificate": text(&o.Certificate),
		"key":         text(&o.Key),
	}
}

// sinkURL reads where a receiver is. What proves who we are does not belong in
// it.
func sinkURL(into *string, example string) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		if s, ok := n.(*ast.StringNode); ok {
			u, err := url.Parse(s.Value)
			if err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil && u.Fragment == "" {
				*into = s.Value
				return
			}
		}
		d.fail(n, key, "want an http or https URL without user or password, for example "+example)
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

// check says what no single key tells.
func (o *SinkOTLP) check(key string, add func(key, format string, args ...any)) {
	if (o.Certificate == "") != (o.Key == "") {
		add(key, "certificate and key go together: give both or neither")
	}
	for _, f := range []struct{ key, path string }{{"ca_file", o.CAFile}, {"certificate", o.Certificate}, {"key", o.Key}} {
		if f.path == "" {
			continue
		}
		if _, err := os.Stat(f.path); err != nil {
			add(key+"."+f.key, "%s can't be read: %v", f.path, errors.Unwrap(err))
		}
	}
	u, err := url.Parse(o.URL)
	if err == nil && o.Protocol == OTLPOverGRPC && u.Path != "" && u.Path != "/" {
		add(key+".url", "gRPC has no path: give scheme, host and port, or protocol: http")
	}
}
