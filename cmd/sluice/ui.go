package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"time"

	"sluice/internal/signin"
	"sluice/internal/ui"
)

// withUI serves the web UI beside the REST API.
func (g *gateway) withUI(rest http.Handler) http.Handler {
	pages := ui.New(ui.Deps{
		REST: rest, Sessions: g.sessions, Tokens: g.identity, Policy: g.policy, Gateway: g.inside(), CA: g.ca(),
		Provider: g.cfg.Identity.OIDC.Name, Version: version, Now: time.Now, NewID: newExchangeID, Log: g.log.Named("ui"),
	})
	mux := http.NewServeMux()
	signin.New(signin.Options{
		Sessions: g.sessions, Directory: g.identity, Provider: g.signInProvider(), Trail: g.trail, ServeUnrecorded: g.serveUnrecorded(),
		Render: pages.SignInPage, Registerer: g.registry, Now: time.Now, NewID: newExchangeID, Log: g.log.Named("signin"),
	}).Register(mux)
	mux.Handle("/", pages)
	return ui.Mount(rest, mux)
}

// inside calls the gateway itself through Envoy's own socket for it.
func (g *gateway) inside() http.RoundTripper {
	var d net.Dialer
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", g.socket("inside"))
		},
		DisableCompression: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute,
	}
}

// ca reads the certificate of the gateway's own CA; nil where it has none.
func (g *gateway) ca() func() ([]byte, error) {
	if g.caFile == "" {
		return nil
	}
	return func() ([]byte, error) { return os.ReadFile(g.caFile) }
}
