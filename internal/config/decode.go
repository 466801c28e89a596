package config

import (
	"fmt"
	"net"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// fields maps a key of a YAML mapping to what reads its value.
type fields map[string]func(d *decoder, key string, n ast.Node)

// decoder walks the syntax tree, so that every error has the line of the value
// that is wrong and no error quotes the source (it may hold secrets).
type decoder struct {
	file string
	errs []string
}

func decode(file string, raw []byte, c *Config) error {
	tree, err := parser.ParseBytes(raw, 0)
	if err != nil {
		return fmt.Errorf("%s: not valid YAML: %s", file, firstLine(err.Error()))
	}
	d := &decoder{file: file}
	for _, doc := range tree.Docs {
		if doc.Body != nil {
			d.mapping("", doc.Body, schema(c))
		}
	}
	if len(d.errs) > 0 {
		return fmt.Errorf("%s", strings.Join(d.errs, "\n"))
	}
	return nil
}

// schema is the contract of sluice.yaml: which keys there are and where each goes.
func schema(c *Config) fields {
	return fields{
		"listen":         text(&c.Listen),
		"listen_plain":   text(&c.ListenPlain),
		"metrics_listen": text(&c.MetricsListen),
		"data":           text(&c.Data),
		"log_level":      oneOf(&c.LogLevel, "debug", "info", "warn", "error"),
		"tls": group(fields{
			"certificate": text(&c.TLS.Certificate),
			"key":         text(&c.TLS.Key),
			"client_ca":   text(&c.TLS.ClientCA),
			"client_auth": oneOf(&c.TLS.ClientAuth, ClientAuthOff, ClientAuthOptional, ClientAuthRequired),
			"client_crl":  text(&c.TLS.ClientCRL),
		}),
		"policies": group(fields{"bundles": bundles(&c.Policies)}),
		"vault":    vaultSection(&c.Vault, false),
		"audit": group(fields{
			"retention_days":  number(&c.Audit.RetentionDays, 1, 36500),
			"bodies":          oneOf(&c.Audit.Bodies, "full", "redacted", "none"),
			"provider_bodies": boolean(&c.Audit.ProviderBodies),
			"stream_events":   boolean(&c.Audit.StreamEvents),
			"body_bytes":      number(&c.Audit.BodyBytes, 1024, 1<<30),
			"redact":          redactSection(&c.Audit.Redact),
			"sync":            oneOf(&c.Audit.Sync, "os", "fsync"),
			"on_failure":      oneOf(&c.Audit.OnFailure, "refuse", "serve"),
			"sinks":           sinks(&c.Audit.Sinks),
			"disk":            group(fields{"warn": diskLimit(&c.Audit.Disk.Warn), "stop": diskLimit(&c.Audit.Disk.Stop)}),
		}),
		"egress": group(fields{
			"ca_file":          text(&c.Egress.CAFile),
			"proxy":            proxyURL(&c.Egress.Proxy),
			"resolve":          resolve(&c.Egress.Resolve),
			"allow_private":    boolean(&c.Egress.AllowPrivate),
			"machine_identity": boolean(&c.Egress.MachineIdentity),
		}),
		"limits": group(fields{
			"body_bytes":    number(&c.Limits.BodyBytes, 1024, 1<<30),
			"idle_timeout":  duration(&c.Limits.IdleTimeout, 100*time.Millisecond),
			"drain_timeout": duration(&c.Limits.DrainTimeout, 0),
		}),
		"identity": group(fields{
			"oidc":         group(oidcSchema(&c.Identity.OIDC)),
			"certificates": certificates(&c.Identity.Certificates),
			"scim":         group(fields{"adopt": boolean(&c.Identity.SCIM.Adopt)}),
			"sessions": group(fields{
				"idle":         duration(&c.Identity.Sessions.Idle, time.Minute),
				"absolute":     duration(&c.Identity.Sessions.Absolute, time.Minute),
				"max_per_user": number(&c.Identity.Sessions.PerUser, 1, 1000),
			}),
		}),
		"prices":    group(fields{"file": text(&c.Prices.File)}),
		"endpoints": entries(c, "endpoints"),
		"routes":    entries(c, "routes"),
	}
}

// entries are what package mlflowconfig reads.
func entries(c *Config, what string) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		if _, ok := n.(*ast.SequenceNode); !ok && !isNull(n) {
			d.fail(n, key, "want a list of "+what)
		}
		c.HasEndpoints = c.HasEndpoints || !isNull(n)
	}
}

func (d *decoder) fail(n ast.Node, key, want string) {
	line := 0
	if t := n.GetToken(); t != nil {
		line = t.Position.Line
	}
	d.errs = append(d.errs, fmt.Sprintf("%s:%d: %s: %s", d.file, line, key, want))
}

func (d *decoder) mapping(prefix string, n ast.Node, f fields) {
	var pairs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	default:
		if isNull(n) {
			return
		}
		d.fail(n, orTop(prefix), "want a mapping of keys to values")
		return
	}
	seen := map[string]bool{}
	for _, p := range pairs {
		key := p.Key.String()
		full := key
		if prefix != "" {
			full = prefix + "." + key
		}
		read, ok := f[key]
		switch {
		case !ok:
			d.fail(p.Key, full, "unknown key; known here: "+known(f))
		case seen[key]:
			d.fail(p.Key, full, "given twice")
		case isNull(p.Value):
		default:
			read(d, full, p.Value)
		}
		seen[key] = true
	}
}

func group(f fields) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) { d.mapping(key, n, f) }
}

func text(into *string) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		s, ok := n.(*ast.StringNode)
		if !ok {
			d.fail(n, key, "want a text")
			return
		}
		*into = s.Value
	}
}

func oneOf(into *string, allowed ...string) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		if s, ok := n.(*ast.StringNode); ok {
			for _, a := range allowed {
				if s.Value == a {
					*into = a
					return
				}
			}
		}
		d.fail(n, key, "want one of: "+strings.Join(allowed, ", "))
	}
}

func number[T int | int64](into *T, low, high int64) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		if i, ok := n.(*ast.IntegerNode); ok {
			v, err := strconv.ParseInt(i.String(), 0, 64)
			if err == nil && v >= low && v <= high {
				*into = T(v)
				return
			}
		}
		d.fail(n, key, fmt.Sprintf("want a whole number from %d to %d", low, high))
	}
}

func boolean(into *bool) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		b, ok := n.(*ast.BoolNode)
		if !ok {
			d.fail(n, key, "want true or false")
			return
		}
		*into = b.Value
	}
}

func duration(into *time.Duration, low time.Duration) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		if s, ok := n.(*ast.StringNode); ok {
			if v, err := time.ParseDuration(s.Value); err == nil && v >= low {
				*into = v
				return
			}
		}
		d.fail(n, key, fmt.Sprintf("want a duration of at least %s, for example 30s or 5m", low))
	}
}

func proxyURL(into *string) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		s, ok := n.(*ast.StringNode)
		if ok && s.Value == "" {
			return
		}
		if ok {
			u, err := url.Parse(s.Value)
			if err == nil && u.Scheme == "http" && u.Port() != "" && u.Hostname() != "" && u.User == nil {
				*into = s.Value
				return
			}
		}
		d.fail(n, key, "want http://host:port of a proxy that understands CONNECT")
	}
}

func resolve(into *map[string]string) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		out := map[string]string{}
		f := fields{}
		collect := func(m *ast.MappingValueNode) {
			host := m.Key.String()
			f[host] = func(d *decoder, key string, n ast.Node) {
				var to string
				text(&to)(d, key, n)
				if h, p, err := net.SplitHostPort(to); err != nil || net.ParseIP(h) == nil || p == "" {
					d.fail(n, key, "want address:port, for example 127.0.0.1:9443")
					return
				}
				out[strings.ToLower(strings.Trim(host, `"'`))] = to
			}
		}
		switch m := n.(type) {
		case *ast.MappingNode:
			for _, v := range m.Values {
				collect(v)
			}
		case *ast.MappingValueNode:
			collect(m)
		}
		d.mapping(key, n, f)
		*into = out
	}
}

// list reads a list of what item reads; what says of what in an error.
func list[T any](into *[]T, what string, item func(into *T, d *decoder, at string, n ast.Node)) func(*decoder, string, ast.Node) {
	return func(d *decoder, key string, n ast.Node) {
		seq, ok := n.(*ast.SequenceNode)
		if !ok {
			d.fail(n, key, "want a list of "+what)
			return
		}
		for i, value := range seq.Values {
			var one T
			item(&one, d, fmt.Sprintf("%s[%d]", key, i), value)
			*into = append(*into, one)
		}
	}
}

func bundles(into *[]Bundle) func(*decoder, string, ast.Node) {
	return list(into, "{name, source}", func(b *Bundle, d *decoder, at string, n ast.Node) {
		before := len(d.errs)
		d.mapping(at, n, fields{
			"name": text(&b.Name),
			"source": func(d *decoder, key string, n ast.Node) {
				s, ok := n.(*ast.StringNode)
				if !ok || len(s.Value) <= len("dir:") || !strings.HasPrefix(s.Value, "dir:") {
					d.fail(n, key, "want dir:FOLDER, a folder of Rego files")
					return
				}
				b.Dir = strings.TrimPrefix(s.Value, "dir:")
			},
		})
		if len(d.errs) == before && (b.Name == "" || b.Dir == "") {
			d.fail(n, at, "want both name and source")
		}
	})
}

func isNull(n ast.Node) bool {
	_, ok := n.(*ast.NullNode)
	return ok || n == nil
}

func known(f fields) string {
	keys := make([]string, 0, len(f))
	for k := range f {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return strings.Join(keys, ", ")
}

func orTop(prefix string) string {
	if prefix == "" {
		return "the file"
	}
	return prefix
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
