package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"sluice/internal/cli"
	"sluice/internal/config"
)

// runFlags are the flags of sluice run. A flag that is given wins over the file.
type runFlags struct {
	config, listen, listenPlain, data, envoyBin, adminTokenFile, metricsListen string
}

func runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Start the gateway and its Envoy",
		Long: "Start the gateway and its Envoy. The first start makes the data folder with a local CA, a vault keyset,\n" +
			"an administrator's token and a practice endpoint. SIGTERM drains, SIGHUP reads the configuration again.",
		Args: cli.Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.load(cmd)
			if err != nil {
				return cli.UsageError{Err: err}
			}
			return run(cmd.Context(), f, cfg, func() (config.Config, error) { return f.load(cmd) })
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.config, "config", "", "configuration file (default sluice.yaml where there is one)")
	fl.StringVar(&f.listen, "listen", "", "address of the TLS listener (default 127.0.0.1:8443)")
	fl.StringVar(&f.listenPlain, "listen-plain", "", "address of a listener without TLS, loopback only (default none)")
	fl.StringVar(&f.metricsListen, "metrics-listen", "", "address of metrics and health (default 127.0.0.1:9464)")
	fl.StringVar(&f.data, "data", "", "folder of everything that is kept (default ./data)")
	fl.StringVar(&f.envoyBin, "envoy-bin", "", "Envoy binary of the pinned version (default: found)")
	fl.StringVar(&f.adminTokenFile, "admin-token-file", "", "where the administrator's token is kept (default <data>/admin-token)")
	return cmd
}

// defaultConfigFile is read when it is there and no other is named.
const defaultConfigFile = "sluice.yaml"

func (f runFlags) load(cmd *cobra.Command) (config.Config, error) {
	path := f.config
	if path == "" {
		if _, err := os.Stat(defaultConfigFile); err == nil {
			path = defaultConfigFile
		}
	}
	cfg, err := config.Load(path)
	if err != nil {
		return cfg, err
	}
	for name, into := range map[string]*string{
		"listen": &cfg.Listen, "listen-plain": &cfg.ListenPlain, "metrics-listen": &cfg.MetricsListen, "data": &cfg.Data,
	} {
		if fl := cmd.Flags().Lookup(name); fl.Changed {
			*into = fl.Value.String()
		}
	}
	return cfg, cfg.Validate()
}

// run serves until SIGTERM or SIGINT.
func run(ctx context.Context, f runFlags, cfg config.Config, reload func() (config.Config, error)) error {
	syscall.Umask(0o077) // whatever is made is for this user only
	log, err := newLogger(cfg.LogLevel)
	if err != nil {
		return err
	}
	defer func() { _ = log.Sync() }()

	stop, cancel := signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt)
	defer cancel()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	g, err := newGateway(f, cfg, log)
	if err != nil {
		return err
	}
	err = g.serve(stop, hup, reload)
	return errors.Join(err, g.close())
}

func newLogger(level string) (*zap.Logger, error) {
	l, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("log_level: %w", err)
	}
	c := zap.NewProductionConfig()
	c.Level = zap.NewAtomicLevelAt(l)
	c.EncoderConfig.TimeKey = "time"
	c.EncoderConfig.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	c.Sampling = nil
	c.DisableStacktrace = true
	return c.Build()
}
