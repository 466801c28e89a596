// Package config reads sluice.yaml: one file, every key optional, strict. A
// key that is not known, a value of the wrong type, or a file that is named
// and missing stops the start with file, line, key and what was expected.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"reflect"
	"time"

	"sluice/internal/identity"
)

// Config is the whole configuration. The zero value of a field means what its
// comment says; Default gives the values that apply when the file is silent.
type Config struct {
	Listen        string // TLS listener, host:port
	ListenPlain   string // plain listener, loopback only; "": none
	MetricsListen string // Prometheus metrics and health, host:port; "": none
	Data          string // folder of everything that is kept, mode 0700
	LogLevel      string // debug, info, warn, error

	TLS      TLS
	Policies []Bundle
	Vault    Vault
	Audit    Audit
	Egress   Egress
	Limits   Limits
	Prices   Prices
	Identity Identity

	// Source is the file that was read, "" when there is none. Its keys endpoints
	// and routes are read by package mlflowconfig from Raw.
	Source string
	Raw    []byte
	// HasEndpoints: the file has endpoints or routes.
	HasEndpoints bool
}

// TLS names the listener's certificate. Both empty: the project's own local CA.
type TLS struct {
	Certificate string // PEM file, chain included
	Key         string // PEM file

	ClientCA   string // PEM file of the authorities whose client certificates are taken; "": none is asked for
	ClientAuth string // ClientAuthOff …; "": optional where there is a ClientCA
	ClientCRL  string // PEM file of certificates that were revoked; "": none is looked at
}

// Whether clients must show a certificate, for TLS.ClientAuth.
const (
	ClientAuthOff      = "off"
	ClientAuthOptional = "optional" // one that is shown must be good
	ClientAuthRequired = "required"
)

// AsksForCertificates reports whether the TLS listener asks clients for one.
func (t TLS) AsksForCertificates() bool { return t.ClientCA != "" && t.ClientAuth != ClientAuthOff }

// Bundle is one policy bundle.
type Bundle struct {
	Name string
	Dir  string // folder of Rego and data files; "": the built-in default bundle
}

// Audit sets the trail.
type Audit struct {
	RetentionDays int    // whole UTC days that are kept
	Bodies        string // full, redacted or none
	// ProviderBodies: what providers were sent and answered is recorded too.
	ProviderBodies bool
	// StreamEvents: the events of streamed replies are recorded beside the message.
	StreamEvents bool
	BodyBytes    int    // most that is kept of one body
	Sync         string // os or fsync: when a record counts as written
	Redact       Redact
	OnFailure    string // refuse or serve
	Sinks        []Sink // where it is streamed to
	Disk         DiskWatch
}

// Egress holds for everything that leaves.
type Egress struct {
	CAFile       string            // extra roots to trust for providers, PEM
	Proxy        string            // corporate HTTP CONNECT proxy, http://host:port
	Resolve      map[string]string // host → address:port; the TLS name stays the host's
	AllowPrivate bool              // provider addresses may be loopback or private
	// MachineIdentity lets endpoints authenticate as the machine does that the
	// gateway runs on: AWS's default chain, Google's default credentials.
	MachineIdentity bool
}

// Limits bound what one request may take.
type Limits struct {
	BodyBytes    int64         // largest request and reply body
	IdleTimeout  time.Duration // longest silence of a provider, before and within its reply
	DrainTimeout time.Duration // longest wait for running requests at a stop
}

// Prices says with which prices costs are estimated.
type Prices struct {
	File string // JSON, laid over the built-in prices; "": none
}

// Identity says who is let in, and for how long.
type Identity struct {
	OIDC OIDC
	// Certificates map client certificates to users; the first that matches
	// decides.
	Certificates []identity.CertificateRule
	SCIM         SCIM
	Sessions     Sessions
}

// SCIM says what a company's directory may keep here.
type SCIM struct {
	Adopt bool // it may take over users and organizations that were made by hand
}

// Sessions bound how long a browser stays signed in to the web UI.
type Sessions struct {
	Idle     time.Duration // longest time without a request
	Absolute time.Duration // longest time from the sign-in
	PerUser  int           // most sessions of one user at a time
}

// Default is the configuration of an empty file.
func Default() Config {
	return Config{
		Listen:        "127.0.0.1:8443",
		MetricsListen: "127.0.0.1:9464",
		Data:          "./data",
		LogLevel:      "info",
		Vault:         defaultVault(),
		Audit:         Audit{RetentionDays: 184, Bodies: "full", BodyBytes: 32 << 20, Sync: "os", OnFailure: "refuse", Disk: DiskWatch{Warn: "10%,5GiB", Stop: "1%,64MiB"}},
		Limits:        Limits{BodyBytes: 32 << 20, IdleTimeout: 5 * time.Minute, DrainTimeout: 30 * time.Second},
		Identity:      Identity{OIDC: DefaultOIDC(), Sessions: Sessions{Idle: 30 * time.Minute, Absolute: 12 * time.Hour, PerUser: 10}},
	}
}

// Load reads the file over the defaults. An empty path gives the defaults.
// Errors name file, line, key and what was expected, and never show a value
// that may be secret.
func Load(path string) (Config, error) {
	c := Default()
	if path == "" {
		return c, nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("reading the configuration: %w", err)
	}
	c.Source, c.Raw = path, raw
	if err := decode(path, raw, &c); err != nil {
		return Config{}, err
	}
	return c, nil
}

// Validate checks what no single key can: addresses, files that are named,
// pairs. It is called after flags were laid over the file.
func (c *Config) Validate() error {
	var errs []error
	add := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	checkListen := func(key, addr string, loopbackOnly bool) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			add(key, "want host:port, for example 127.0.0.1:8443")
			return
		}
		if ip, err := netip.ParseAddr(host); loopbackOnly && (err != nil || !ip.IsLoopback()) {
			add(key, "only a loopback address may be served without TLS, for example 127.0.0.1:8080")
		} else if err != nil {
			add(key, "want an IP address before the port, for example 0.0.0.0:8443 for all interfaces")
		}
	}
	checkListen("listen", c.Listen, false)
	if c.ListenPlain != "" {
		checkListen("listen_plain", c.ListenPlain, true)
	}
	if c.MetricsListen != "" {
		checkListen("metrics_listen", c.MetricsListen, false)
	}
	if (c.TLS.Certificate == "") != (c.TLS.Key == "") {
		add("tls", "certificate and key go together: give both, or neither for the local CA")
	}
	c.checkIdentity(add)
	c.checkSinks(add)
	if s := c.Identity.Sessions; s.Idle > s.Absolute {
		add("identity.sessions", "idle (%s) is longer than absolute (%s): no session could be idle so long", s.Idle, s.Absolute)
	}
	files := []struct{ key, path string }{
		{"tls.certificate", c.TLS.Certificate}, {"tls.key", c.TLS.Key},
		{"tls.client_ca", c.TLS.ClientCA}, {"tls.client_crl", c.TLS.ClientCRL}, {"egress.ca_file", c.Egress.CAFile},
		{"prices.file", c.Prices.File},
	}
	for _, b := range c.Policies {
		files = append(files, struct{ key, path string }{"policies.bundles." + b.Name, b.Dir})
	}
	for _, f := range files {
		if f.path == "" {
			continue
		}
		if _, err := os.Stat(f.path); err != nil {
			add(f.key, "%s can't be read: %v", f.path, errors.Unwrap(err))
		}
	}
	if len(errs) > 0 && c.Source != "" {
		return fmt.Errorf("%s: %w", c.Source, errors.Join(errs...))
	}
	return errors.Join(errs...)
}

// NeedRestart names the keys whose values differ in next and that take effect
// only at a start. Endpoints, policies' files and certificates do not.
func (c *Config) NeedRestart(next Config) []string {
	var keys []string
	for _, p := range c.restartParts(next) {
		if !reflect.DeepEqual(p.a, p.b) {
			keys = append(keys, p.name)
		}
	}
	return keys
}

// restartPart is a top-level key that takes effect only at a start, with its
// values in two configurations.
type restartPart struct {
	name string
	a, b any
}

// withoutSinks is what can't change while the gateway runs.
func (a Audit) withoutSinks() Audit {
	a.Sinks = nil
	return a
}

func (c *Config) restartParts(next Config) []restartPart {
	return []restartPart{
		{"listen", c.Listen, next.Listen}, {"listen_plain", c.ListenPlain, next.ListenPlain},
		{"metrics_listen", c.MetricsListen, next.MetricsListen}, {"data", c.Data, next.Data},
		{"log_level", c.LogLevel, next.LogLevel}, {"tls", c.TLS, next.TLS}, {"policies", c.Policies, next.Policies},
		{"audit", c.Audit.withoutSinks(), next.Audit.withoutSinks()}, {"egress", c.Egress, next.Egress}, {"limits", c.Limits, next.Limits},
		{"prices", c.Prices, next.Prices}, {"identity", c.Identity, next.Identity},
	}
}
