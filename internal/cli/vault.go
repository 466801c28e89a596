package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
	"sluice/internal/vault"
)

func vaultCommand() *cobra.Command {
	r := &remote{}
	return withRemote(group("vault", "See where keys are kept, and move them to another vault or key",
		vaultStatusCommand(r), vaultMigrateCommand(r), vaultRotateCommand(r), vaultPassphraseCommand()), r)
}

func vaultStatusCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show which vault seals, how it does, and a migration or rotation",
		Args:  Exactly(),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			st, err := c.Vault(cmd.Context())
			if err != nil {
				return err
			}
			return r.showVault(cmd, st)
		}),
	}
}

func (r *remote) showVault(cmd *cobra.Command, st api.Vault) error {
	return r.show(cmd, st, "", func(add func(...any)) {
		addVault(add, "vault", st.VaultPart)
		for _, p := range st.Previous {
			addVault(add, "previous", p)
		}
		for _, kind := range sortedKeys(st.Values) {
			add("values in "+kind, st.Values[kind])
		}
		add("values to move", st.Other)
		if st.Waiting > 0 {
			add("waiting", fmt.Sprintf("%d targets or credentials can't be opened at the moment", st.Waiting))
		}
		if st.Removals > 0 {
			add("to remove in AWS", st.Removals)
		}
		if j := st.Job; j != nil {
			add("last "+j.Kind, jobText(*j))
		}
	})
}

func addVault(add func(...any), label string, p api.VaultPart) {
	text := p.Kind
	for _, more := range []string{p.Region, p.Key} {
		if more != "" {
			text += " " + more
		}
	}
	if p.Passphrase {
		text += " (with a passphrase)"
	}
	add(label, text)
	add("  last success", maybe(p.LastSuccess, "none yet"))
	if p.Failing {
		add("  FAILING", maybe(p.LastErrorAt, "")+" "+p.LastError)
	}
}

func jobText(j api.VaultJob) string {
	text := fmt.Sprintf("%d of %d targets, credentials and keys of the trail", j.Done, j.Total)
	switch {
	case j.Running:
		return text + ", under way since " + second(j.Started)
	case j.Error != "":
		return text + ", ended early: " + j.Error
	case j.Left > 0:
		return text + fmt.Sprintf(", %d of them with values that could not be opened and stay as they are", j.Left)
	}
	return text + ", done " + maybe(j.Ended, "")
}

func vaultMigrateCommand(r *remote) *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "migrate --to KIND",
		Short: "Move all values to the vault that the gateway is configured for",
		Long: "Move all values to the vault that the gateway is configured for, while it runs. First configure the new vault, with\n" +
			"the present one under vault.previous, and let the gateway read its configuration again (SIGHUP). When all is moved,\n" +
			"take away vault.previous. When the command ends early, the gateway goes on; when the gateway does, run it again.",
		Args: Exactly(),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			if to == "" {
				return usagef("--to is required: local, aws-kms or aws-secrets-manager")
			}
			st, err := c.MigrateVault(cmd.Context(), to)
			if err != nil {
				return err
			}
			return r.awaitVault(cmd, c, st)
		}),
	}
	cmd.Flags().StringVar(&to, "to", "", "kind of the new vault: local, aws-kms or aws-secrets-manager")
	complete(cmd, "to", fixed(string(vault.KindLocal), string(vault.KindKMS), string(vault.KindSecretsManager)))
	return cmd
}

func vaultRotateCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Seal all values with a new key of the vault, and end the old one",
		Args:  Exactly(),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			st, err := c.RotateVault(cmd.Context())
			if err != nil {
				return err
			}
			return r.awaitVault(cmd, c, st)
		}),
	}
}

// awaitVault waits until the job of the vault has ended, and shows the state.
func (r *remote) awaitVault(cmd *cobra.Command, c *client.Client, st api.Vault) error {
	for st.Job != nil && st.Job.Running {
		if err := sleep(cmd.Context(), 200*time.Millisecond); err != nil {
			return fmt.Errorf("no longer waiting; the gateway goes on (see sluice vault status): %w", err)
		}
		var err error
		if st, err = c.Vault(cmd.Context()); err != nil {
			return err
		}
	}
	if err := r.showVault(cmd, st); err != nil {
		return err
	}
	switch j := st.Job; {
	case j == nil:
		return errors.New("the gateway was started anew meanwhile; run the command again")
	case j.Error != "":
		return fmt.Errorf("not all values were sealed anew; run the command again: %s", j.Error)
	case j.Left > 0:
		return fmt.Errorf("%d targets or credentials have values that can't be opened; set these again, then run the command again", j.Left)
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func vaultPassphraseCommand() *cobra.Command {
	var data, current, next string
	var remove bool
	cmd := &cobra.Command{
		Use:   "passphrase",
		Short: "Set, change or remove the passphrase of the local keyset, on the gateway's own machine",
		Long: "Set, change or remove the passphrase of the local keyset, on the gateway's own machine. A running gateway goes on; its\n" +
			"next start needs vault.passphrase to name the new one. A passphrase is given as file:PATH, env:NAME or - (standard input).",
		Args: Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (next == "") == !remove {
				return usagef("give --new for the new passphrase, or --remove for none")
			}
			if current == "-" && next == "-" {
				return usagef("only one passphrase can be read from the standard input")
			}
			was, is := "", ""
			for _, p := range []struct {
				what, source string
				into         *string
			}{{"current", current, &was}, {"new", next, &is}} {
				if p.source == "" {
					continue
				}
				var err error
				if *p.into, err = secret(cmd.InOrStdin(), p.what, p.source); err != nil {
					return err
				}
				if *p.into == "" {
					return fmt.Errorf("the %s passphrase is empty", p.what)
				}
			}
			if err := vault.SetPassphrase(filepath.Join(data, "vault.keyset"), was, is); err != nil {
				return err
			}
			text := "The keyset is encrypted with the new passphrase. Name it as vault.passphrase before the next start."
			if remove {
				text = "The keyset has no passphrase any more. Take vault.passphrase out of the configuration before the next start."
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&data, "data", "./data", "folder of the gateway")
	fl.StringVar(&current, "current", "", "present passphrase, where there is one")
	fl.StringVar(&next, "new", "", "new passphrase")
	fl.BoolVar(&remove, "remove", false, "keep the keyset in clear")
	return cmd
}
