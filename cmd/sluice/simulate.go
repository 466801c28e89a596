package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"sluice/internal/cli"
	"sluice/internal/simulate"
)

func simulateCommand() *cobra.Command {
	var o simulate.RunOptions
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Serve a simulated provider, for tests and demonstrations",
		Args:  cli.Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := newLogger("info")
			if err != nil {
				return err
			}
			defer func() { _ = log.Sync() }()
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			o.Log = log.With(zap.String("command", "simulate"))
			if err := simulate.Run(ctx, o); err != nil {
				if errors.Is(err, simulate.ErrOptions) {
					return cli.UsageError{Err: err}
				}
				return err
			}
			return nil
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&o.Listen, "listen", "127.0.0.1:9999", "address and port; port 0 takes a free one")
	fl.StringVar(&o.Provider, "provider", "practice", "practice, openai or anthropic")
	fl.StringVar(&o.TLSCert, "tls-cert", "", "PEM file of the certificate; with --tls-key")
	fl.StringVar(&o.TLSKey, "tls-key", "", "PEM file of the key; with --tls-cert")
	return cmd
}
