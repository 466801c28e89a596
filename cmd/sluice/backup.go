package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/backup"
	"sluice/internal/cli"
)

const aboutPassphrase = "file with the passphrase that the backup is encrypted with (default $SLUICE_BACKUP_PASSPHRASE)"

func backupCommand() *cobra.Command {
	var o backup.Options
	var file string
	var force bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write the data folder into a file, also while the gateway runs",
		Long: "Write the data folder into a file, also while the gateway runs; - writes to the standard output.\n" +
			"With a passphrase the file is encrypted and holds everything, the vault's keyset and the private keys too. Without one it\n" +
			"holds no secrets: keep vault.keyset apart then, since without it the stored credentials can't be opened, and ca.pem and\n" +
			"ca.key, since without them a restored gateway makes a CA that nobody trusts yet.",
		Args: cli.Exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.Passphrase, err = passphrase(file); err != nil {
				return err
			}
			if _, err := os.Stat(args[0]); args[0] != "-" && err == nil && !force {
				return fmt.Errorf("%s is there already; name another file, or give --force to write over it", args[0])
			}
			o.Version, o.Now = version, time.Now()
			m, err := writeBackup(cmd, o, args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%d files are in the backup.\n", len(m.Files))
			if !m.Secrets {
				fmt.Fprintln(cmd.ErrOrStderr(), "It is not encrypted and holds no keys: keep vault.keyset, ca.pem and ca.key somewhere else.")
			}
			return nil
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&o.Data, "data", "./data", "folder of the gateway")
	fl.BoolVar(&force, "force", false, "write over a file that is there")
	fl.BoolVar(&o.NoTrail, "no-trail", false, "leave the audit trail out")
	fl.StringVar(&file, "passphrase-file", "", aboutPassphrase)
	return cmd
}

// writeBackup writes beside the file and renames, so that no half backup has
// its name.
func writeBackup(cmd *cobra.Command, o backup.Options, to string) (backup.Manifest, error) {
	if to == "-" {
		return backup.Write(cmd.Context(), cmd.OutOrStdout(), o)
	}
	tmp, err := os.CreateTemp(filepath.Dir(to), ".sluice-backup-*") // 0600
	if err != nil {
		return backup.Manifest{}, fmt.Errorf("writing the backup: %w", err)
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // renamed, or of no use
	m, err := backup.Write(cmd.Context(), tmp, o)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return m, err
	}
	if err := os.Rename(tmp.Name(), to); err != nil {
		return m, fmt.Errorf("writing the backup: %w", err)
	}
	return m, nil
}

func restoreCommand() *cobra.Command {
	var data, file string
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a data folder of a backup",
		Long: "Make a data folder of a backup; - reads the standard input. The folder must be missing or empty. Every file is held\n" +
			"against the backup's manifest, and the folder appears whole or not at all.",
		Args: cli.Exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			secret, err := passphrase(file)
			if err != nil {
				return err
			}
			in := cmd.InOrStdin()
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return fmt.Errorf("reading the backup: %w", err)
				}
				defer f.Close()
				in = f
			}
			return restore(cmd, in, data, secret)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&data, "data", "./data", "folder to make")
	fl.StringVar(&file, "passphrase-file", "", aboutPassphrase)
	return cmd
}

func restore(cmd *cobra.Command, in io.Reader, data, secret string) error {
	m, err := backup.Restore(cmd.Context(), in, data, secret)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s is as it was on %s: %d files.\n", data, m.Created.Format("2 Jan 2006, 15:04:05 UTC"), len(m.Files))
	if !m.Secrets {
		fmt.Fprintln(cmd.ErrOrStderr(), "Put vault.keyset, ca.pem and ca.key into it before you start the gateway; without the first the stored credentials\n"+
			"can't be opened, without the others it makes a new CA, which people must trust then.")
	}
	return nil
}

// passphrase reads it from the file, or from the environment where none is
// named; "" for none.
func passphrase(file string) (string, error) {
	if file == "" {
		return os.Getenv("SLUICE_BACKUP_PASSPHRASE"), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading the passphrase: %w", err)
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("reading the passphrase: %s is empty", file)
	}
	return secret, nil
}
