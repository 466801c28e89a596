package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"

	"sluice/internal/admin"
	"sluice/internal/admin/api"
	"sluice/internal/config"
	"sluice/internal/pki"
	"sluice/internal/simulate"
)

// serve starts everything, announces, and returns when it is told to stop and
// running requests have ended, or when a part fails that nothing goes without.
func (g *gateway) serve(stop context.Context, hup <-chan os.Signal, reload func() (config.Config, error)) error {
	failed := make(chan error, 8)
	if err := g.listen(failed); err != nil {
		return err
	}
	news, err := g.firstStart(stop)
	if err != nil {
		return err
	}
	if err := g.applyFile(stop, g.cfg); err != nil {
		return err
	}
	g.background(failed)
	if err := g.awaitReady(stop, failed); err != nil {
		return err
	}
	g.started()
	g.log.Info("serving", zap.String("listen", g.cfg.Listen), zap.String("version", version))
	g.announce(os.Stdout, news)
	for {
		select {
		case <-stop.Done():
			return g.drain()
		case err := <-failed:
			return errors.Join(err, g.drain())
		case <-hup:
			g.reload(stop, reload)
		}
	}
}

// listen opens every socket of this process.
func (g *gateway) listen(failed chan<- error) error {
	for _, addr := range []string{g.cfg.Listen, g.cfg.ListenPlain} {
		if err := checkFree(addr); err != nil {
			return err
		}
	}
	xdsListener, err := net.Listen("unix", g.socket("xds"))
	if err != nil {
		return fmt.Errorf("opening the xDS socket: %w", err)
	}
	g.goStop(failed, func(ctx context.Context) error { return g.plane.Serve(ctx, xdsListener) })

	extprocListener, err := net.Listen("unix", g.socket("extproc"))
	if err != nil {
		return fmt.Errorf("opening the ext_proc socket: %w", err)
	}
	g.grpc = grpc.NewServer(grpcOptions(g.cfg.Limits.BodyBytes)...)
	g.extproc.Register(g.grpc)
	go func() {
		if err := g.grpc.Serve(extprocListener); err != nil {
			failed <- fmt.Errorf("serving ext_proc: %w", err)
		}
	}()
	g.control = g.controlHandler()
	if err := g.listenHTTP(failed, "unix", g.socket("control"), g.withUI(g.control)); err != nil {
		return err
	}
	if err := g.listenHTTP(failed, "unix", g.socket("practice"), simulate.NewPractice(simulate.Options{})); err != nil {
		return err
	}
	if err := g.listenHTTP(failed, "unix", g.socket("batch"), g.batches); err != nil {
		return err
	}
	if g.cfg.MetricsListen != "" {
		return g.listenHTTP(failed, "tcp", g.cfg.MetricsListen, g.metricsHandler())
	}
	return nil
}

// checkFree says when another program listens on an address. Envoy would not:
// it opens its ports for sharing, so that a second gateway on the port of a first
// took a part of its connections, and nobody was told.
func checkFree(addr string) error {
	if addr == "" {
		return nil
	}
	l, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("another program listens on %s already: stop it, or choose another address (listen, listen_plain)", addr)
	case err != nil: // Envoy may be allowed what this process is not, and says what it can't do
		return nil
	}
	return l.Close()
}

// grpcOptions let a whole body pass in one message, with windows as wide as
// Envoy's own on this socket.
func grpcOptions(bodyBytes int64) []grpc.ServerOption {
	const slack = 1 << 20 // heads and framing
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(int(bodyBytes) + slack), grpc.MaxSendMsgSize(int(bodyBytes)*2 + slack),
		grpc.InitialWindowSize(1 << 20), grpc.InitialConnWindowSize(16 << 20),
		grpc.ReadBufferSize(64 << 10), grpc.WriteBufferSize(64 << 10),
	}
}

func (g *gateway) listenHTTP(failed chan<- error, network, addr string, h http.Handler) error {
	l, err := net.Listen(network, addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", addr, err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 30 * time.Second, ErrorLog: zap.NewStdLog(g.log.Named("http"))}
	g.servers = append(g.servers, s)
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serving %s: %w", addr, err)
		}
	}()
	return nil
}

func (g *gateway) controlHandler() http.Handler {
	return admin.New(admin.Deps{
		Identity: g.identity, Catalog: g.catalog, Policy: g.policy, Trail: g.trail, Sinks: g.sinks, Usage: g.usage, Machine: g.machine.look, ServeUnrecorded: g.serveUnrecorded(),
		Activate: g.activate, CheckHost: g.egress.CheckHost, Components: g.components, Version: version,
		Settings: g.inForce.settings, Stopping: g.ending,
		TargetHealth: g.targetHealth, Vault: g.keeper, TrailKeys: g.keys, Probe: g.prober().Test, Prices: g.prices, Sessions: g.sessions, SignIn: g.signInWays, SCIM: g.scim, AdoptBySCIM: g.cfg.Identity.SCIM.Adopt, Registerer: g.registry, Now: time.Now, NewID: newExchangeID, Log: g.log.Named("api"),
	})
}

// targetHealth is how targets did lately, in the words of the REST API.
func (g *gateway) targetHealth() []api.TargetHealth {
	out := []api.TargetHealth{}
	for _, h := range g.extproc.Health() {
		t := api.TargetHealth{
			EndpointName: h.Endpoint, TargetName: h.Target, State: api.TargetOK,
			Failures: h.Failures, LastCode: h.LastCode, LastStatus: h.LastStatus,
		}
		if h.Cooling {
			t.State, t.Until = api.TargetCooling, &h.Until
		}
		out = append(out, t)
	}
	return out
}

// background starts what runs beside the requests.
func (g *gateway) background(failed chan<- error) {
	g.goStop(failed, g.envoy.Run)
	g.goStop(failed, g.policy.Watch)
	g.goStop(failed, g.watchCertificate)
	g.goStop(failed, g.forgetTokens)
	if g.oidc != nil {
		g.goStop(failed, func(ctx context.Context) error {
			g.oidc.Run(ctx)
			return nil
		})
	}
	g.goStop(failed, g.keeper.Run)
	g.goStop(failed, g.keys.Run)
	g.startSinks()
	g.goStop(failed, g.sessions.Run)
	g.goStop(failed, func(ctx context.Context) error {
		g.identity.Run(ctx, func(err error) { g.log.Error("last use was not written; it is tried again", zap.Error(err)) })
		return nil
	})
	g.goStop(failed, func(ctx context.Context) error {
		tick := time.NewTicker(linger / 4)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
				g.ups.prune(ctx)
			}
		}
	})
}

// goStop runs f until close, which waits for it. An end before that is a failure.
func (g *gateway) goStop(failed chan<- error, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f(ctx); err != nil && ctx.Err() == nil {
			failed <- err
		}
	}()
	g.stops = append(g.stops, func() { cancel(); <-done })
}

// certificateCheck is how often the project's own certificate is looked at for
// renewal.
const certificateCheck = 12 * time.Hour

// watchCertificate replaces the certificate when its files change, or when the
// project's own comes near its end.
func (g *gateway) watchCertificate(ctx context.Context) error {
	load := func() {
		if err := g.loadCertificate(); err != nil {
			g.log.Error("the new certificate was refused; the last good one stays", zap.Error(err))
			return
		}
		g.log.Info("the server certificate was loaded")
	}
	if files := g.certificateFiles(); len(files) > 0 && g.cfg.TLS.Certificate != "" {
		return pki.Watch(ctx, files, g.log, load)
	} else if len(files) > 0 {
		watched := make(chan error, 1)
		go func() { watched <- pki.Watch(ctx, files, g.log, load) }()
		defer func() { <-watched }()
	}
	tick := time.NewTicker(certificateCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			load()
		}
	}
}

// certificateFiles are those of the configuration, whose changes are followed.
func (g *gateway) certificateFiles() (files []string) {
	t := g.cfg.TLS
	named := []string{t.Certificate, t.Key}
	if t.AsksForCertificates() {
		named = append(named, t.ClientCA, t.ClientCRL)
	}
	for _, f := range named {
		if f != "" {
			files = append(files, f)
		}
	}
	return files
}

// tokensCheck is how often tokens are looked through that ended long ago.
const tokensCheck = 24 * time.Hour

// forgetTokens takes tokens out of the store that were revoked or expired
// before the oldest day of the trail. From then on they are unknown.
func (g *gateway) forgetTokens(ctx context.Context) error {
	tick := time.NewTicker(tokensCheck)
	defer tick.Stop()
	for {
		n, err := g.identity.PurgeTokens(ctx, time.Now().AddDate(0, 0, -g.cfg.Audit.RetentionDays))
		switch {
		case err != nil && ctx.Err() == nil:
			g.log.Error("ended tokens were not forgotten", zap.Error(err))
		case n > 0:
			g.log.Info("ended tokens were forgotten", zap.Int("tokens", n))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// startTimeout is how long Envoy may take from start to serving.
const startTimeout = 60 * time.Second

func (g *gateway) awaitReady(stop context.Context, failed <-chan error) error {
	ctx, cancel := context.WithTimeout(stop, startTimeout)
	defer cancel()
	for {
		err := g.envoy.Ready(ctx)
		if err == nil && g.plane.Status().Synced() {
			return nil
		}
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
			if r := g.plane.Status().Rejected; r != nil {
				return fmt.Errorf("starting: Envoy refused its configuration: %s", r.Message)
			}
			return fmt.Errorf("starting: Envoy is not ready after %s: %w", startTimeout, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// drain stops taking requests, lets those that run finish, and then ends Envoy
// and the servers behind it, in the order in which a request passes them.
func (g *gateway) drain() error {
	g.stopping.Store(true)
	close(g.ending) // streams that are followed would not end by themselves
	g.log.Info("draining", zap.Duration("at_most", g.cfg.Limits.DrainTimeout))
	const slack = 5 * time.Second // for Envoy to go after the last request
	ctx, cancel := context.WithTimeout(context.Background(), g.cfg.Limits.DrainTimeout+slack)
	defer cancel()
	err := g.envoy.Drain(ctx)
	g.grpc.Stop()
	g.extproc.Wait()
	for _, s := range g.servers {
		err = errors.Join(err, s.Shutdown(ctx))
	}
	g.stopped()
	g.flushSinks(ctx)
	g.log.Info("stopped")
	return err
}

// reload reads the file again. What can't change while running is named.
func (g *gateway) reload(ctx context.Context, read func() (config.Config, error)) {
	next, err := read()
	if err != nil {
		g.log.Error("the configuration was not read again; the last good one stays", zap.Error(err))
		g.misconfigured(err)
		g.inForce.refused(err, time.Now())
		return
	}
	var problems []string
	for _, part := range []struct {
		failed string
		load   func() error
	}{
		{"the vault was not changed; the last good one stays", func() error { return g.reloadVault(ctx, next.Vault) }},
		{"the file's endpoints were not applied", func() error { return g.applyFile(ctx, next) }},
		{"the policies were not reloaded; the last good ones stay", g.policy.Reload},
		{"the sinks of the audit trail were not all changed", func() error { return g.setSinks(next) }},
		{"the certificate was not reloaded; the last good one stays", g.loadCertificate},
	} {
		if err := part.load(); err != nil {
			g.log.Error(part.failed, zap.Error(err))
			problems = append(problems, part.failed+": "+err.Error())
		}
	}
	if keys := g.cfg.NeedRestart(next); len(keys) > 0 {
		g.log.Warn("these settings take effect at the next start", zap.Strings("keys", keys))
	}
	g.configured(g.lastRead, next, problems)
	g.lastRead = next
	g.inForce.took(next, g.cfg.Vault, problems, time.Now())
	g.log.Info("the configuration was read again")
}
