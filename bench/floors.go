package main

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"text/template"
	"time"

	"sluice/internal/simulate"
)

//go:embed envoy.yaml.tmpl
var envoyTemplate string

// serverName is the name in the gateways' certificate.
const serverName = "localhost"

// startTime bounds the start of one gateway.
const startTime = 60 * time.Second

// direct is the provider itself, without a gateway.
func (b *bench) direct(context.Context) (*gateway, error) {
	return &gateway{addr: b.providerAddr, path: "/v1/chat/completions", model: "gpt-4o-mini",
		roots: func() []int { return nil }, close: func() {}}, nil
}

// envoyAlone is Envoy with nothing but a route.
func (b *bench) envoyAlone(ctx context.Context) (*gateway, error) {
	return b.startEnvoy(ctx, "", nil)
}

// envoyEcho is Envoy with an ext_proc server that only echoes.
func (b *bench) envoyEcho(ctx context.Context) (*gateway, error) {
	socket := filepath.Join(b.dir, "echo.sock")
	if err := os.RemoveAll(socket); err != nil { // of an earlier round
		return nil, fmt.Errorf("removing the old socket: %w", err)
	}
	args := []string{roleEcho, socket}
	if b.o.echoBodies {
		args = append(args, "bodies")
	}
	server, _, err := startRole(ctx, args...)
	if err != nil {
		return nil, err
	}
	g, err := b.startEnvoy(ctx, socket, server)
	if err != nil {
		server.stop()
	}
	return g, err
}

// startEnvoy starts Envoy in front of the provider; with a socket, it has an
// ext_proc filter whose server is behind it.
func (b *bench) startEnvoy(ctx context.Context, socket string, server *child) (*gateway, error) {
	addr, err := simulate.RefusedAddr()
	if err != nil {
		return nil, err
	}
	config, err := b.envoyConfig(addr, socket)
	if err != nil {
		return nil, err
	}
	proxy, err := startChild("envoy", nil, b.o.envoy, "-c", config, "--disable-hot-restart", "--log-level", "error")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := proxy.wait(ctx, func() error { return accepts(addr) }); err != nil {
		proxy.stop()
		return nil, err
	}
	roots := []int{proxy.cmd.Process.Pid}
	if server != nil {
		roots = append(roots, server.cmd.Process.Pid)
	}
	return &gateway{addr: addr, ca: b.ca.PEM(), serverName: serverName, path: "/v1/chat/completions", model: "gpt-4o-mini",
		header: map[string]string{"Authorization": "Bearer slu_client"},
		roots:  func() []int { return roots },
		close: func() {
			proxy.stop()
			if server != nil {
				server.stop()
			}
		}}, nil
}

func (b *bench) envoyConfig(addr, socket string) (path string, err error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", addr, err)
	}
	providerHost, providerPort, err := net.SplitHostPort(b.providerAddr)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", b.providerAddr, err)
	}
	t, err := template.New("envoy").Parse(envoyTemplate)
	if err != nil {
		return "", fmt.Errorf("reading the template: %w", err)
	}
	path = filepath.Join(b.dir, "envoy.yaml")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fmt.Errorf("writing the configuration: %w", err)
	}
	defer file.Close()
	err = t.Execute(file, map[string]string{"Port": port, "ProviderHost": providerHost, "ProviderPort": providerPort,
		"ExtProcSocket": socket, "Certificate": b.certFile, "Key": b.keyFile})
	if err != nil {
		return "", fmt.Errorf("writing the configuration: %w", err)
	}
	return path, nil
}

func accepts(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}
