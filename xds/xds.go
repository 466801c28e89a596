// Package xds is the control plane: it turns the upstreams that endpoints need
// into Envoy listeners, routes, clusters and secrets, and delivers them by
// delta ADS. Each Envoy concept is made by one small pure function; every
// resource is versioned by a hash of its content, so only what changed is
// pushed.
//
// What is pushed: three listeners at most, one table of routes, and for each
// upstream a cluster and where it is now. Endpoints, permissions, models and
// keys never are.
package xds

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"sluice/internal/egress"
)

// Options configures a ControlPlane.
type Options struct {
	ListenAddr   string             // address:port of the TLS listener
	Clients      ClientCertificates // of the TLS listener; with them it waits for SetClientAuthorities
	ListenPlain  string             // address:port of the listener without TLS; "" for none
	ListenSocket string             // unix socket of the listener for the web UI's own calls; "" for none
	BodyBytes    int64              // largest body of a call; above it: 413
	IdleTimeout  time.Duration      // longest silence on a stream: 504 before the head, a reset after it

	ExtProcSocket string            // unix socket of the ext_proc gRPC server
	ControlSocket string            // unix socket of the control HTTP server
	LocalSockets  map[string]string // unix sockets of local upstreams, by Upstream.Local

	// The rules of egress, as in egress.Options.
	CAFile       string
	Proxy        string
	Resolve      map[string]string
	AllowPrivate bool

	Log        *zap.Logger           // nil: none
	Registerer prometheus.Registerer // nil: none
	Now        func() time.Time      // nil: time.Now
}

// ControlPlane serves the configuration of one Envoy. It is safe for use by
// several goroutines.
type ControlPlane struct {
	o       Options
	rules   *egress.Rules
	stores  map[string]*store // by type URL
	acks    *tracker
	metrics *metrics

	// turn is held by the one push that is under way.
	turn   chan struct{}
	pushes sync.WaitGroup

	mu     sync.Mutex // guards the following fields
	places map[Upstream]*place
	groups []Group // sorted by key
}

// New checks the options and builds the first configuration, without upstreams
// and without a certificate: the TLS listener waits for SetCertificate.
func New(o Options) (*ControlPlane, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.BodyBytes <= 0 || o.IdleTimeout <= 0 || o.ExtProcSocket == "" || o.ControlSocket == "" {
		return nil, errors.New("making the control plane: a body limit, an idle timeout and both sockets are needed")
	}
	rules, err := egress.New(egress.Options{
		CAFile: o.CAFile, Proxy: o.Proxy, Resolve: o.Resolve, AllowPrivate: o.AllowPrivate,
	})
	if err != nil {
		return nil, err
	}
	c := &ControlPlane{
		o: o, rules: rules, stores: map[string]*store{}, metrics: newMetrics(o.Registerer),
		turn: make(chan struct{}, 1), places: map[Upstream]*place{},
	}
	c.acks = newTracker(o.Log, o.Now, c.metrics)
	for _, t := range typeOrder {
		c.stores[t] = newStore(t)
	}
	if err := c.pushFixed(); err != nil {
		return nil, err
	}
	return c, nil
}

// pushFixed puts what does not depend on upstreams.
func (c *ControlPlane) pushFixed() error {
	listeners := map[string]types.Resource{}
	if c.o.ListenAddr != "" {
		l, err := tlsListener(c.o.ListenAddr, c.o.IdleTimeout, c.o.Clients)
		if err != nil {
			return err
		}
		listeners[l.GetName()] = l
	}
	if c.o.ListenPlain != "" {
		l, err := plainListener(c.o.ListenPlain, c.o.IdleTimeout)
		if err != nil {
			return err
		}
		listeners[l.GetName()] = l
	}
	if c.o.ListenSocket != "" {
		l := insideListener(c.o.ListenSocket, c.o.IdleTimeout)
		listeners[l.GetName()] = l
	}
	if len(listeners) == 0 {
		return errors.New("making the control plane: an address to listen on is needed")
	}
	clusters := map[string]types.Resource{
		clusterExtProc: extProcCluster(c.o.ExtProcSocket),
		clusterControl: controlCluster(c.o.ControlSocket),
	}
	for typeURL, set := range map[string]map[string]types.Resource{
		resource.ClusterType:  clusters,
		resource.ListenerType: listeners,
		resource.RouteType:    c.routes(nil, nil),
	} {
		if _, err := c.put(typeURL, set); err != nil {
			return err
		}
	}
	return nil
}

// put stores resources for delivery and returns the versions that changed.
func (c *ControlPlane) put(typeURL string, set map[string]types.Resource) (versions, error) {
	changed, _, err := c.stores[typeURL].update(set, nil)
	c.count(typeURL)
	return changed, err
}

// drop removes resources and returns the names that were there.
func (c *ControlPlane) drop(typeURL string, names []string) ([]string, error) {
	_, gone, err := c.stores[typeURL].update(nil, names)
	c.count(typeURL)
	return gone, err
}

func (c *ControlPlane) count(typeURL string) {
	c.metrics.resources.WithLabelValues(shortName(typeURL)).Set(float64(len(c.stores[typeURL].want())))
}

func (c *ControlPlane) routes(ups []Upstream, groups []Group) map[string]types.Resource {
	return map[string]types.Resource{routesName: routeConfiguration(ups, groups, c.o.BodyBytes, c.o.IdleTimeout)}
}

// SetCertificate replaces the server certificate: new connections get it,
// those there are go on. A pair that does not belong together is refused, and
// the last good one stays.
func (c *ControlPlane) SetCertificate(certPEM, keyPEM []byte) error {
	if _, err := tls.X509KeyPair(certPEM, keyPEM); err != nil {
		return fmt.Errorf("checking the server certificate: %w", err)
	}
	_, err := c.put(resource.SecretType, map[string]types.Resource{secretServer: serverSecret(certPEM, keyPEM)})
	return err
}

// SetClientAuthorities replaces the authorities whose client certificates are
// taken, and the list of those that they have revoked, which may be empty: new
// connections are held to them. What can't be read is refused, and the last good
// ones stay.
func (c *ControlPlane) SetClientAuthorities(caPEM, crlPEM []byte) error {
	if !x509.NewCertPool().AppendCertsFromPEM(caPEM) {
		return errors.New("checking the authorities of client certificates: there is no certificate in the file")
	}
	if len(crlPEM) > 0 {
		block, _ := pem.Decode(crlPEM)
		if block == nil {
			return errors.New("checking the revoked client certificates: the file is not PEM")
		}
		if _, err := x509.ParseRevocationList(block.Bytes); err != nil {
			return fmt.Errorf("checking the revoked client certificates: %w", err)
		}
	}
	_, err := c.put(resource.SecretType, map[string]types.Resource{secretClients: clientsSecret(caPEM, crlPEM)})
	return err
}

// Status says what Envoy has and has refused.
func (c *ControlPlane) Status() Status {
	s := Status{Types: map[string]TypeStatus{}, Unresolved: c.unresolved()}
	s.Connected, s.Since = c.acks.connection()
	for _, typeURL := range typeOrder {
		want := c.stores[typeURL].want()
		acked, rejection := c.acks.state(typeURL, want)
		s.Types[shortName(typeURL)] = TypeStatus{Version: want.digest(), Resources: len(want), Acked: acked}
		if rejection != nil && (s.Rejected == nil || rejection.Time.After(s.Rejected.Time)) {
			s.Rejected = rejection
		}
	}
	return s
}
