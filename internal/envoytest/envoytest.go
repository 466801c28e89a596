// Package envoytest starts the whole Envoy side for tests: a real Envoy under
// its supervisor, fed by a real control plane, with an ext_proc server, a
// control server and local upstreams that the test brings.
package envoytest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"sluice/envoy"
	"sluice/internal/freeport"
	"sluice/internal/pki"
	"sluice/xds"
)

// Options say what stands around Envoy.
type Options struct {
	ExtProc     extprocv3.ExternalProcessorServer // nil: none listens
	Control     http.Handler                      // nil: none listens
	Local       map[string]http.Handler           // local upstreams, by Upstream.Local
	Upstreams   []xds.Upstream                    // from the start
	BodyBytes   int64                             // 0: 32 MiB
	IdleTimeout time.Duration                     // 0: a minute
	DrainTime   time.Duration                     // 0: 10 seconds

	CAFile       string // egress, as in xds.Options
	Proxy        string
	Resolve      map[string]string
	AllowPrivate bool

	Log        *zap.Logger           // nil: warnings and errors to the test's log
	Registerer prometheus.Registerer // nil: none
}

// Gateway is a running Envoy and what stands around it. It ends with the test.
type Gateway struct {
	URL      string // https://127.0.0.1:port
	PlainURL string // http://127.0.0.1:port
	CAFile   string // what a client trusts
	Dir      string // run directory with the sockets
	Plane    *xds.ControlPlane
	Envoy    *envoy.Supervisor
	Roots    *x509.CertPool // of CAFile
	GRPC     *grpc.Server   // serves ExtProc; nil without
}

// Start starts it all and returns when Envoy serves. Without an Envoy of the
// right version the test fails and says what to do.
func Start(t testing.TB, o Options) *Gateway {
	t.Helper()
	bin := Binary(t)
	g := &Gateway{Dir: Dir(t)}
	defaults(t, &o)
	g.sockets(t, o)
	listen, plain := freeport.Address(t), freeport.Address(t)
	g.URL, g.PlainURL = "https://"+listen, "http://"+plain

	var err error
	g.Plane, err = xds.New(xds.Options{
		ListenAddr: listen, ListenPlain: plain, BodyBytes: o.BodyBytes, IdleTimeout: o.IdleTimeout,
		ExtProcSocket: g.socket("extproc"), ControlSocket: g.socket("control"), LocalSockets: g.local(o),
		CAFile: o.CAFile, Proxy: o.Proxy, Resolve: o.Resolve, AllowPrivate: o.AllowPrivate,
		Log: o.Log.Named("xds"), Registerer: o.Registerer,
	})
	must(t, err)
	pair, caFile, err := pki.Ensure(filepath.Join(g.Dir, "tls"), nil, time.Now())
	must(t, err)
	must(t, g.Plane.SetCertificate(pair.Cert, pair.Key))
	g.CAFile, g.Roots = caFile, pool(t, caFile)
	must(t, g.Plane.SetUpstreams(t.Context(), o.Upstreams))

	l, err := net.Listen("unix", g.socket("xds"))
	must(t, err)
	Go(t, "control plane", func(ctx context.Context) error { return g.Plane.Serve(ctx, l) })
	g.Envoy, err = envoy.NewSupervisor(envoy.SupervisorOptions{
		Path: bin, Dir: g.Dir, Concurrency: 1, DrainTime: o.DrainTime, Log: o.Log.Named("envoy"),
		Bootstrap: envoy.BootstrapOptions{NodeID: "test", AdminSocket: g.socket("admin"), XDSSocket: g.socket("xds")},
	})
	must(t, err)
	Go(t, "Envoy", g.Envoy.Run)
	g.WaitReady(t)
	return g
}

// WaitReady returns when Envoy serves with all that it was given.
func (g *Gateway) WaitReady(t testing.TB) {
	t.Helper()
	Eventually(t, 90*time.Second, func() bool {
		return g.Envoy.Ready(t.Context()) == nil && g.Plane.Status().Synced()
	}, func() any { return []any{g.Plane.Status(), g.Envoy.Status()} })
}

// Client returns an HTTP client that trusts the gateway. protocol is "h2" or
// "http/1.1".
func (g *Gateway) Client(protocol string) *http.Client {
	tr := &http.Transport{
		TLSClientConfig:    &tls.Config{RootCAs: g.Roots, MinVersion: tls.VersionTLS12, NextProtos: []string{protocol}},
		ForceAttemptHTTP2:  protocol == "h2",
		DisableCompression: true,
	}
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

func (g *Gateway) socket(name string) string { return filepath.Join(g.Dir, name+".sock") }

func (g *Gateway) local(o Options) map[string]string {
	out := make(map[string]string, len(o.Local))
	for name := range o.Local {
		out[name] = g.socket("local-" + name)
	}
	return out
}

// sockets opens what Envoy connects to.
func (g *Gateway) sockets(t testing.TB, o Options) {
	t.Helper()
	if o.ExtProc != nil {
		g.GRPC = ServeExtProc(t, g.socket("extproc"), o.ExtProc)
	}
	if o.Control != nil {
		serveHTTP(t, g.socket("control"), o.Control)
	}
	for name, h := range o.Local {
		serveHTTP(t, g.socket("local-"+name), h)
	}
}

// ServeExtProc serves ext_proc on the socket with windows like Envoy's, and
// Envoy's access log where h takes it.
func ServeExtProc(t testing.TB, socket string, h extprocv3.ExternalProcessorServer) *grpc.Server {
	t.Helper()
	const largest = 128 << 20
	s := grpc.NewServer(grpc.MaxRecvMsgSize(largest), grpc.MaxSendMsgSize(largest),
		grpc.InitialWindowSize(1<<20), grpc.InitialConnWindowSize(16<<20))
	extprocv3.RegisterExternalProcessorServer(s, h)
	if logs, ok := h.(accesslogv3.AccessLogServiceServer); ok {
		accesslogv3.RegisterAccessLogServiceServer(s, logs)
	}
	l, err := net.Listen("unix", socket)
	must(t, err)
	Go(t, "ext_proc", func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, s.Stop)
		defer stop()
		return s.Serve(l)
	})
	return s
}

func serveHTTP(t testing.TB, socket string, h http.Handler) {
	t.Helper()
	l, err := net.Listen("unix", socket)
	must(t, err)
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	Go(t, "server "+filepath.Base(socket), func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() { _ = s.Close() })
		defer stop()
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
}

func defaults(t testing.TB, o *Options) {
	if o.BodyBytes == 0 {
		o.BodyBytes = 32 << 20
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = time.Minute
	}
	if o.DrainTime == 0 {
		o.DrainTime = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = Log(t)
	}
}

func pool(t testing.TB, file string) *x509.CertPool {
	t.Helper()
	b, err := os.ReadFile(file)
	must(t, err)
	p := x509.NewCertPool()
	p.AppendCertsFromPEM(b)
	return p
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
