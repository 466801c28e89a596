package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"sluice/envoy"
	"sluice/extproc"
	"sluice/extproc/dialect"
	"sluice/extproc/provider"
	"sluice/internal/audit"
	"sluice/internal/batch"
	"sluice/internal/catalog"
	"sluice/internal/config"
	"sluice/internal/credentials"
	"sluice/internal/egress"
	"sluice/internal/identity"
	"sluice/internal/keeper"
	"sluice/internal/oidc"
	"sluice/internal/pki"
	"sluice/internal/prices"
	"sluice/internal/scim"
	"sluice/internal/session"
	"sluice/internal/sink"
	"sluice/internal/state"
	"sluice/internal/trailkeys"
	"sluice/internal/usage"
	"sluice/internal/vault"
	"sluice/policies"
	"sluice/xds"
)

// gateway is everything that one process runs.
type gateway struct {
	cfg        config.Config
	inForce    *inForce
	lastRead   config.Config // the file as it was read last and taken
	log        *zap.Logger
	adminToken string // file
	runDir     string // sockets and Envoy's bootstrap, removed at the end

	db       *sql.DB
	trail    *audit.Trail
	sinks    *sink.Manager
	usage    *usage.Usage
	machine  *machine
	identity *identity.Store
	oidc     *oidc.Provider // nil: there is none
	sessions *session.Manager
	scim     *scim.Store
	catalog  *catalog.Store
	vaults   *vault.Set
	keeper   *keeper.Keeper
	keys     *trailkeys.Keys
	policy   *policies.Engine
	egress   *egress.Rules
	registry *prometheus.Registry
	plane    *xds.ControlPlane
	ups      *upstreams
	extproc  *extproc.Server
	sources  *credentials.Manager
	batches  *batch.Server
	prices   *prices.Table
	envoy    *envoy.Supervisor

	grpc    *grpc.Server
	control http.Handler // of the control server
	servers []*http.Server
	stops   []func() // background work, in order of start

	caFile   string // what clients trust; "" with a configured certificate
	stopping atomic.Bool
	ending   chan struct{} // closed when stopping
}

// newGateway opens and connects every part. Nothing is served yet.
func newGateway(f runFlags, cfg config.Config, log *zap.Logger) (_ *gateway, err error) {
	g := &gateway{cfg: cfg, lastRead: cfg, inForce: newInForce(cfg, time.Now()), log: log, adminToken: f.adminTokenFile, registry: prometheus.NewRegistry(), ending: make(chan struct{})}
	g.machine = &machine{g: g, started: time.Now()}
	defer func() {
		if err != nil {
			_ = g.close()
		}
	}()
	g.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if g.adminToken == "" {
		g.adminToken = filepath.Join(cfg.Data, "admin-token")
	}
	bin, err := envoy.Find(f.envoyBin)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	// Sockets have short paths (a limit of the kernel), so they are not in data.
	if g.runDir, err = os.MkdirTemp("", "sluice-"); err != nil {
		return nil, fmt.Errorf("making the run folder: %w", err)
	}
	for _, step := range []func() error{g.openStores, g.openPolicies, g.openEnvoySide, g.openIdentityProvider} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	g.envoy, err = envoy.NewSupervisor(envoy.SupervisorOptions{
		Path: bin, Dir: g.runDir, DrainTime: cfg.Limits.DrainTimeout, Log: log.Named("envoy"), Now: time.Now,
		OnRestart: g.envoyRestarted,
		Bootstrap: envoy.BootstrapOptions{
			NodeID: "sluice", AdminSocket: g.socket("admin"), XDSSocket: g.socket("xds"),
		},
	})
	if err != nil {
		return nil, err
	}
	g.registerParts()
	return g, nil
}

func (g *gateway) socket(name string) string { return filepath.Join(g.runDir, name+".sock") }

// openStores opens what is kept. The trail comes first: its lock keeps a
// second gateway off the folder before anything is touched.
func (g *gateway) openStores() (err error) {
	data := func(name string) string { return filepath.Join(g.cfg.Data, name) }
	warn, err := diskLimit(g.cfg.Audit.Disk.Warn)
	if err != nil {
		return fmt.Errorf("reading audit.disk.warn: %w", err)
	}
	stop, err := diskLimit(g.cfg.Audit.Disk.Stop)
	if err != nil {
		return fmt.Errorf("reading audit.disk.stop: %w", err)
	}
	g.trail, err = audit.Open(audit.Options{
		DiskWarn: warn, DiskStop: stop,
		Dir: data("audit"), Node: nodeName(), Bodies: g.cfg.Audit.Bodies, BodyBytes: g.cfg.Audit.BodyBytes,
		Sync:          g.cfg.Audit.Sync,
		RetentionDays: g.cfg.Audit.RetentionDays,
		Signed:        true, // by openTrailKeys
		Now:           time.Now, Log: g.log.Named("audit"),
	})
	if err != nil {
		return err
	}
	if g.usage, err = usage.Open(usage.Options{Path: data("usage.db"), Trail: g.trail, Now: time.Now, Log: g.log.Named("usage")}); err != nil {
		return err
	}
	if g.db, err = state.Open(data("sluice.db")); err != nil {
		return fmt.Errorf("opening the state: %w", err)
	}
	c := g.cfg.Egress
	g.egress, err = egress.New(egress.Options{CAFile: c.CAFile, Proxy: c.Proxy, Resolve: c.Resolve, AllowPrivate: c.AllowPrivate})
	if err != nil {
		return fmt.Errorf("reading egress: %w", err)
	}
	if err := g.openSinks(); err != nil {
		return err
	}
	current, previous, err := g.openVaults(g.cfg.Vault)
	if err != nil {
		return fmt.Errorf("opening the vault: %w", err)
	}
	g.vaults = vault.NewSet(current, previous...)
	g.vaultOpened()
	if g.identity, err = identity.NewStore(g.db, time.Now, catalog.NewID); err != nil {
		return fmt.Errorf("opening identities: %w", err)
	}
	if err := g.openSessions(); err != nil {
		return err
	}
	if g.scim, err = scim.NewStore(g.db, time.Now); err != nil {
		return err
	}
	g.identity.OnRemove(g.scim.Forget)
	if g.catalog, err = catalog.NewStore(g.db, g.vaults, time.Now, catalog.NewID); err != nil {
		return fmt.Errorf("opening the catalog: %w", err)
	}
	g.keeper = keeper.New(keeper.Options{
		Catalog: g.catalog, Vaults: g.vaults, Record: g.trail.Event, Now: time.Now, Log: g.log.Named("vault"),
	}, g.cfg.Vault.Refresh)
	if err := g.openTrailKeys(); err != nil {
		return err
	}
	g.watchCatalog()
	if err := g.covered(append([]vault.Vault{current}, previous...)); err != nil {
		g.log.Error("some stored keys can't be used", zap.Error(err))
	}
	g.identity.OnRemove(g.catalog.Forget)
	return nil
}

// openSessions loads the sessions of browsers, which end with their users.
func (g *gateway) openSessions() (err error) {
	limits := g.cfg.Identity.Sessions
	g.sessions, err = session.New(session.Options{
		DB: g.db, Callers: g.identity, Now: time.Now, NewID: catalog.NewID, Log: g.log.Named("session"),
		Limits: session.Limits{Idle: limits.Idle, Absolute: limits.Absolute, PerUser: limits.PerUser},
	})
	if err != nil {
		return fmt.Errorf("opening sessions: %w", err)
	}
	g.identity.OnRemove(func(ctx context.Context, id string) error {
		_, err := g.sessions.EndUser(ctx, id)
		return err
	})
	return nil
}

func (g *gateway) openPolicies() (err error) {
	sources := []policies.Source{{Name: "default"}}
	if len(g.cfg.Policies) > 0 {
		sources = nil
		for _, b := range g.cfg.Policies {
			sources = append(sources, policies.Source{Name: b.Name, Dir: b.Dir})
		}
	}
	g.policy, err = policies.New(policies.Options{
		Sources: sources, Log: g.log.Named("policy"), Now: time.Now, OnActivate: g.policyActivated, OnRefuse: g.policyRefused,
	})
	if err != nil {
		return fmt.Errorf("loading the policies: %w", err)
	}
	return nil
}

// openEnvoySide makes the control plane and the ext_proc server.
func (g *gateway) openEnvoySide() (err error) {
	c := g.cfg
	g.plane, err = xds.New(xds.Options{
		ListenAddr: c.Listen, Clients: clientCertificates(c.TLS), ListenPlain: c.ListenPlain, ListenSocket: g.socket("inside"), BodyBytes: c.Limits.BodyBytes, IdleTimeout: c.Limits.IdleTimeout,
		ExtProcSocket: g.socket("extproc"), ControlSocket: g.socket("control"),
		LocalSockets: map[string]string{provider.PracticeLocal: g.socket("practice"), batch.Local: g.socket("batch")},
		CAFile:       c.Egress.CAFile, Proxy: c.Egress.Proxy, Resolve: c.Egress.Resolve, AllowPrivate: c.Egress.AllowPrivate,
		Log: g.log.Named("xds"), Registerer: g.registry, Now: time.Now,
	})
	if err != nil {
		return fmt.Errorf("making the control plane: %w", err)
	}
	if err := g.loadCertificate(); err != nil {
		return err
	}
	ambient := (*http.Client)(nil)
	if c.Egress.MachineIdentity {
		ambient = g.egress.AmbientClient()
	}
	g.sources = credentials.New(credentials.Options{
		HTTP: g.egress.Client(), Ambient: ambient, Now: time.Now, Log: g.log.Named("credentials"), Registerer: g.registry,
	})
	if g.prices, err = loadPrices(c.Prices.File); err != nil {
		return err
	}
	g.batches = batch.New(g.egress.Client(), c.Limits.BodyBytes)
	g.extproc = extproc.New(extproc.Options{
		Identity: g.identity, Policy: g.policy, Trail: recorder(g.trail), ServeUnrecorded: g.serveUnrecorded(),
		Bodies: c.Audit.Bodies, ProviderBodies: c.Audit.ProviderBodies, StreamEvents: c.Audit.StreamEvents,
		Batches: g.batches, Cost: g.cost, BodyBytes: c.Limits.BodyBytes, Metrics: extproc.NewMetrics(g.registry), Log: g.log.Named("extproc"), Now: time.Now,
	})
	g.ups = &upstreams{plane: g.plane, now: time.Now, log: g.log, unneeded: map[xds.Upstream]time.Time{}, idle: map[xds.Group]time.Time{}}
	g.catalog.OnChange(g.changed)
	g.changed(g.catalog.Snapshot())
	registerTrail(g.registry, g.trail)
	return nil
}

// loadPrices reads the price table, with the file's prices laid over the
// built-in ones.
func loadPrices(file string) (*prices.Table, error) {
	if file == "" {
		return prices.Load(nil)
	}
	over, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading prices.file: %w", err)
	}
	t, err := prices.Load(over)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, p := range t.List() {
		switch known, ok := provider.Lookup(p.Provider); {
		case !ok:
			return nil, fmt.Errorf("%s: providers.%s: no provider has this id; sluice providers lists them", file, p.Provider)
		case known.ID != p.Provider:
			return nil, fmt.Errorf("%s: providers.%s: write %s, the provider's own id", file, p.Provider, known.ID)
		}
	}
	return t, nil
}

// cost is what tokens cost, in 10⁻⁹ US dollars.
func (g *gateway) cost(provider, model string, u dialect.Usage) (int64, bool) {
	return g.prices.Cost(provider, model, prices.Tokens{
		Input: u.Input, Output: u.Output, Cached: u.Cached, CacheWrite: u.CacheWrite,
	})
}

func (g *gateway) serveUnrecorded() bool { return g.cfg.Audit.OnFailure == "serve" }

// pushTimeout bounds the wait for Envoy within one change.
const pushTimeout = 10 * time.Second

// changed puts a new catalog in force: first what Envoy needs to know, then
// the table that requests are served from.
func (g *gateway) changed(s *catalog.Snapshot) {
	ctx, cancel := context.WithTimeout(context.Background(), pushTimeout)
	defer cancel()
	t := extproc.NewTable(g.extproc.Table(), s.All(), func(e *catalog.Endpoint) *extproc.Entry {
		return entryOf(e, g.sources)
	})
	n, used := newNeed(), map[*credentials.Source]bool{}
	t.Each(func(e *extproc.Entry) {
		n.add(e)
		for _, target := range e.Targets {
			if source, ok := target.Auth.(*credentials.Source); ok {
				used[source] = true
			}
		}
	})
	// Batches are answered here, for one target and for one of several.
	n.upstreams[xds.Upstream{Local: batch.Local}] = true
	n.upstreams[xds.Upstream{Local: batch.Local, Staged: true}] = true
	g.ups.need(ctx, n)
	g.extproc.SetTable(t)
	g.sources.Retain(used)
}

// activate is called before an endpoint is saved. It makes Envoy ready, and
// fails where a target's credential can't work.
func (g *gateway) activate(ctx context.Context, e *catalog.Endpoint) error {
	n := newNeed()
	entry := entryOf(e, g.sources)
	for _, t := range entry.Targets {
		if source, ok := t.Auth.(*credentials.Source); ok {
			if err := source.Misconfigured(); err != nil {
				return &catalog.FieldError{Field: "modelConfig", Message: fmt.Sprintf("the credential of the target %q can't work: %v", t.Name, err)}
			}
		}
	}
	n.add(entry)
	return g.ups.add(ctx, n)
}

// loadCertificate hands the listener its certificate: the configured files, or
// the project's own, made by the local CA.
func (g *gateway) loadCertificate() error {
	var pair pki.Pair
	var err error
	if g.cfg.TLS.Certificate != "" {
		pair, err = pki.Load(g.cfg.TLS.Certificate, g.cfg.TLS.Key, time.Now())
	} else {
		host, _, _ := net.SplitHostPort(g.cfg.Listen)
		pair, g.caFile, err = pki.Ensure(g.cfg.Data, []string{host}, time.Now())
	}
	if err != nil {
		return fmt.Errorf("loading the server certificate: %w", err)
	}
	if err := g.plane.SetCertificate(pair.Cert, pair.Key); err != nil {
		return err
	}
	g.machine.served(pair.Cert)
	return g.loadClientAuthorities()
}

// close ends what newGateway opened.
func (g *gateway) close() error {
	for i := len(g.stops) - 1; i >= 0; i-- {
		g.stops[i]()
	}
	if g.sources != nil {
		g.sources.Close()
	}
	var errs []error
	if g.usage != nil {
		errs = append(errs, g.usage.Close())
	}
	if g.sinks != nil {
		over, cancel := context.WithCancel(context.Background())
		cancel() // after drain there is nothing to wait for
		g.sinks.Close(over)
	}
	if g.trail != nil {
		errs = append(errs, g.trail.Close())
	}
	if g.db != nil {
		errs = append(errs, g.db.Close())
	}
	if g.runDir != "" {
		errs = append(errs, os.RemoveAll(g.runDir))
	}
	return errors.Join(errs...)
}

// nodeName is how this gateway is called in records: the machine's own name.
func nodeName() string {
	name, _ := os.Hostname() // without one the records name no node
	return name
}

// newExchangeID is for requests that reach the control server without Envoy.
func newExchangeID() string { return uuid.NewString() }
