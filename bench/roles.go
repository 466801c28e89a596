package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"sluice/bench/echo"
	"sluice/bench/load"
	"sluice/bench/provider"
)

// The roles in which this program starts itself, each a process of its own so
// that its CPU is not counted as the gateway's.
const (
	roleProvider  = "provider"
	roleEcho      = "echo"
	roleLoad      = "load"
	roleCollector = "collector"
)

func runRole(role string, args []string) error {
	switch role {
	case roleProvider:
		gap, err := time.ParseDuration(args[0])
		if err != nil {
			return fmt.Errorf("reading the gap: %w", err)
		}
		return serveProvider(gap)
	case roleEcho:
		return serveEcho(args[0], len(args) > 1)
	case roleCollector:
		return serveCollector()
	case roleLoad:
		return generate(os.Stdin, os.Stdout)
	}
	return fmt.Errorf("unknown role %q", role)
}

func serveProvider(gap time.Duration) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	fmt.Println("listening", listener.Addr())
	server := &http.Server{Handler: &provider.Handler{Gap: gap}, ReadHeaderTimeout: 10 * time.Second}
	onTerm(func() { _ = server.Close() })
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}

func serveEcho(socket string, bodies bool) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	fmt.Println("listening", listener.Addr())
	server := echo.NewGRPC(&echo.Server{Bodies: bodies})
	onTerm(server.Stop)
	if err := server.Serve(listener); err != nil {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}

func onTerm(stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	go func() {
		<-signals
		stop()
	}()
}

// generate reads a load.Config, warms up, writes "ready", waits for a line,
// measures, and writes what it has to tell.
func generate(in io.Reader, out io.Writer) error {
	var config load.Config
	decoder := json.NewDecoder(in)
	if err := decoder.Decode(&config); err != nil {
		return fmt.Errorf("reading what to do: %w", err)
	}
	encoder := json.NewEncoder(out)
	var broken error // of writing; the measurement goes on
	config.Each = func(r load.Result) {
		if err := encoder.Encode(told{Interval: &r}); err != nil {
			broken = err
		}
	}
	result, err := load.Run(config, func() error {
		if _, err := fmt.Fprintln(out, `"ready"`); err != nil {
			return fmt.Errorf("telling that the warm-up is done: %w", err)
		}
		var start bool
		return decoder.Decode(&start)
	})
	if err != nil {
		return err
	}
	return errors.Join(broken, encoder.Encode(told{Total: &result}))
}
