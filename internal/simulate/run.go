package simulate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// RunOptions of the command "sluice simulate".
type RunOptions struct {
	Listen   string // address and port; port 0 takes a free one
	Provider string // "practice" (also ""), "openai" or "anthropic"
	TLSCert  string // PEM file; with TLSKey, or both empty for plain HTTP
	TLSKey   string
	// Log tells the address once it listens.
	Log *zap.Logger
	// Ready is called with the address once it listens. May be nil.
	Ready func(net.Addr)
}

// ErrOptions is returned, wrapped, for options that can't be used.
var ErrOptions = errors.New("invalid option")

// Run serves a provider until ctx ends, which is not an error.
func Run(ctx context.Context, o RunOptions) error {
	handler, err := named(o.Provider)
	if err != nil {
		return err
	}
	certificate, err := keyPair(o)
	if err != nil {
		return err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", o.Listen, err)
	}
	o.Log.Info("simulated provider listens", zap.String("provider", o.Provider),
		zap.Stringer("address", listener.Addr()), zap.Bool("tls", certificate != nil))
	if o.Ready != nil {
		o.Ready(listener.Addr())
	}
	return serveUntil(ctx, newHTTPServer(handler, certificate), listener)
}

func named(provider string) (http.Handler, error) {
	options := Options{Keep: -1}
	switch provider {
	case "", "practice":
		return NewPractice(options), nil
	case "openai":
		return NewOpenAI(options), nil
	case "anthropic":
		return NewAnthropic(options), nil
	}
	return nil, fmt.Errorf("%w: provider %q is not one of practice, openai, anthropic", ErrOptions, provider)
}

func keyPair(o RunOptions) (*tls.Certificate, error) {
	if o.TLSCert == "" && o.TLSKey == "" {
		return nil, nil
	}
	if o.TLSCert == "" || o.TLSKey == "" {
		return nil, fmt.Errorf("%w: a certificate and a key are needed together", ErrOptions)
	}
	pair, err := tls.LoadX509KeyPair(o.TLSCert, o.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("loading the certificate: %w", err)
	}
	return &pair, nil
}

func serveUntil(ctx context.Context, server *http.Server, listener net.Listener) error {
	served := make(chan error, 1)
	go func() {
		if server.TLSConfig != nil {
			served <- server.ServeTLS(listener, "", "")
			return
		}
		served <- server.Serve(listener)
	}()
	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if server.Shutdown(stop) != nil {
		_ = server.Close() // streams that are still open after the time given
	}
	<-served
	return nil
}
