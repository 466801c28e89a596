// Package xds is the control plane: it turns the upstreams that endpoints need
// into Envoy listeners, routes, clusters and secrets, and delivers them by
// delta ADS. Each Envoy concept is made by one small pure function; every
// resource is versioned by a hash of its content, so only what changed is
// pushed.
package xds

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// Options configures a ControlPlane.
type Options struct {
	ListenAddr  string        // host:port of the TLS listener
	ListenPlain string        // host:port of the listener without TLS; "" for none
	BodyBytes   int64         // largest request body of an invocation; above it: 413
	IdleTimeout time.Duration // longest silence on a stream: 504 before the head, a reset after it

	ExtProcSocket string            // unix socket of the ext_proc gRPC server
	ControlSocket string            // unix socket of the control HTTP server
	LocalSockets  map[string]string // unix sockets of local upstreams by Upstream.Local

	CAFile       string            // extra PEM roots to trust for providers
	Proxy        string            // http://host:port of an HTTP CONNECT proxy; "" for none
	Resolve      map[string]string // host → address:port, as curl --connect-to
	AllowPrivate bool              // provider addresses may be loopback or private

	Log        *zap.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time
}

// ControlPlane serves the configuration of one Envoy.
type ControlPlane struct{}

// New builds the first configuration.
func New(o Options) (*ControlPlane, error) { return nil, errors.New("not built yet") }

// Serve answers Envoy on the listener until the context ends.
func (c *ControlPlane) Serve(ctx context.Context, l net.Listener) error {
	return errors.New("not built yet")
}

// SetUpstreams replaces the set of upstreams that Envoy can reach.
func (c *ControlPlane) SetUpstreams(ctx context.Context, ups []Upstream) error {
	return errors.New("not built yet")
}

// SetCertificate replaces the server certificate.
func (c *ControlPlane) SetCertificate(certPEM, keyPEM []byte) error {
	return errors.New("not built yet")
}

// Status says what Envoy has and has refused.
func (c *ControlPlane) Status() Status { return Status{} }
