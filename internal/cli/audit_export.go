package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/audit"
	"sluice/internal/client"
	"sluice/internal/evidence"
)

// auditExport is what the command takes.
type auditExport struct {
	r              *remote
	from, to, dir  string
	offline, force bool
	format, bodies string
	filter         recordFilter
}

func auditExportCommand(r *remote) *cobra.Command {
	e := &auditExport{r: r}
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write days of the trail into a file: as evidence that can be checked without Sluice, or records to read",
		Long: "Write the days from --from to --to, as they are, into a file; - is the standard output. With them go the public keys, the\n" +
			"holds, a manifest with the SHA-256 of each, and a README that says how to check all of it with common tools. The gateway\n" +
			"signs the manifest and records who took the days out.\n\n" +
			"With --offline or --dir the folder of a trail is read by this command, also while a gateway writes it. Nothing signs the\n" +
			"manifest then, and nothing is recorded.\n\n" +
			"--format ndjson writes records to read, one a line and oldest first. Only there the flags count that select records, and --bodies:\n" +
			"redacted takes personal data and secrets out, with marks that are equal for equal values within the file. Without the\n" +
			"gateway the folder must not be that of one that runs.",
		Args: Exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, to, err := e.days()
			if err != nil {
				return err
			}
			if e.offline {
				e.dir = first(e.dir, filepath.Join(r.data, "audit"))
			}
			switch {
			case e.format == formatNDJSON:
				return e.write(cmd, args[0], func(w io.Writer) error { return e.records(cmd, w, from, to) })
			case e.format != formatEvidence:
				return usagef("--format takes evidence or ndjson")
			case e.selects(cmd):
				return usagef("evidence is whole days: flags that select records, and --bodies, take --format ndjson")
			case e.dir != "":
				return e.write(cmd, args[0], func(w io.Writer) error { return e.fromFolder(cmd, w, from, to) })
			}
			return r.run(func(cmd *cobra.Command, c *client.Client, _ []string) error {
				return e.write(cmd, args[0], func(w io.Writer) error {
					return c.ExportEvidence(cmd.Context(), from.Format(time.DateOnly), to.Format(time.DateOnly), w)
				})
			})(cmd, nil)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&e.from, "from", "", "first day of UTC, e.g. 2030-01-31")
	fl.StringVar(&e.to, "to", "", "last day (default today)")
	fl.BoolVar(&e.offline, "offline", false, "read the trail under --data and not through the gateway")
	fl.StringVar(&e.dir, "dir", "", "folder of a trail to read: a gateway's, or one that was imported")
	fl.StringVar(&e.format, "format", formatEvidence, "evidence, or ndjson")
	fl.StringVar(&e.bodies, "bodies", audit.BodiesNone, "with ndjson: full, redacted or none")
	complete(cmd, "format", fixed(formatEvidence, formatNDJSON))
	complete(cmd, "bodies", fixed(audit.BodiesFull, audit.BodiesRedacted, audit.BodiesNone))
	e.filter.selection(cmd, r)
	fl.BoolVar(&e.force, "force", false, "write over a file that is there")
	cmd.MarkFlagsMutuallyExclusive("offline", "dir")
	return cmd
}

// selects reports whether a flag was given that is about records only.
func (e *auditExport) selects(cmd *cobra.Command) bool {
	selects := cmd.Flags().Changed("bodies") || cmd.Flags().Changed("id")
	for _, l := range filterFlags {
		selects = selects || cmd.Flags().Changed(l.flag)
	}
	return selects
}

func (e *auditExport) days() (from, to time.Time, err error) {
	if from, err = time.Parse(time.DateOnly, e.from); err != nil {
		return from, to, usagef("--from is required: the first day, as 2030-01-31")
	}
	to = time.Now().UTC()
	if e.to != "" {
		if to, err = time.Parse(time.DateOnly, e.to); err != nil {
			return from, to, usagef("--to takes a day, as 2030-01-31")
		}
	}
	if to.Before(from) {
		return from, to, usagef("--to must not be before --from")
	}
	return from, to, nil
}

func (e *auditExport) fromFolder(cmd *cobra.Command, w io.Writer, from, to time.Time) error {
	by := "an unknown user, without the gateway"
	if u, err := user.Current(); err == nil {
		by = u.Username + ", without the gateway"
	}
	x, err := evidence.OpenDir(cmd.Context(), e.dir, evidence.Options{From: from, To: to, By: by, Version: cmd.Root().Version, Now: time.Now()})
	if err != nil {
		return err
	}
	defer x.Close()
	_, err = x.Write(cmd.Context(), w)
	return err
}

// write writes to a file that only its owner can read, and that has its name
// when it is whole.
func (e *auditExport) write(cmd *cobra.Command, name string, to func(io.Writer) error) error {
	if name == "-" {
		return to(cmd.OutOrStdout())
	}
	if _, err := os.Stat(name); err == nil && !e.force {
		return fmt.Errorf("%s is there already; name another file, or give --force to write over it", name)
	}
	kept, err := newSecretFile(name)
	if err != nil {
		return fmt.Errorf("keeping the export: %w", err)
	}
	defer kept.discard()
	if err := to(kept.tmp); err != nil {
		return err
	}
	if err := errors.Join(kept.tmp.Sync(), kept.keep("")); err != nil {
		return fmt.Errorf("keeping the export: %w", err)
	}
	_, err = fmt.Fprintf(cmd.ErrOrStderr(), "It is in %s.\n", name)
	return err
}

func auditImportCommand(r *remote) *cobra.Command {
	var into, keys string
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Check evidence and make a folder of it that can be looked at without a gateway",
		Long: "Check evidence, which sluice audit export wrote, and make a folder of it; - reads the standard input. What is not as it was\n" +
			"written is named, and nothing is left behind then. The folder is read with --dir by audit search, show, verify and export.\n\n" +
			"A signature proves who made the evidence only with public keys that you have from elsewhere: name them with --keys. Then evidence\n" +
			"of which no such signature shows that these are all the records is refused.",
		Args: Exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if into == "" {
				return usagef("--into is required: the folder to make")
			}
			trusted, err := readKeyFile(keys)
			if err != nil {
				return err
			}
			in := cmd.InOrStdin()
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return fmt.Errorf("reading the evidence: %w", err)
				}
				defer f.Close()
				in = f
			}
			got, err := evidence.Import(cmd.Context(), in, into, trusted)
			if err != nil {
				return err
			}
			return r.showImported(cmd, into, got)
		},
	}
	cmd.Flags().StringVar(&into, "into", "", "folder to make; it must be missing or empty")
	cmd.Flags().StringVar(&keys, "keys", "", "file with the public keys that you trust, as sluice audit keys prints them")
	return cmd
}

// readKeyFile reads public keys; nil where no file is named.
func readKeyFile(name string) ([]audit.PublicKey, error) {
	if name == "" {
		return nil, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the public keys: %w", err)
	}
	return audit.ParseKeys(text)
}

func (r *remote) showImported(cmd *cobra.Command, into string, got evidence.Imported) error {
	m := got.Manifest
	signature := "not signed: whoever made the file could have made it of anything"
	switch {
	case got.Signed && got.Own:
		signature = "signed with the key " + m.KeyID + ", which is in the file itself: compare it with sluice audit keys of that gateway"
	case got.Signed:
		signature = "signed with the key " + m.KeyID + ", which you trust"
	}
	return r.show(cmd, got, "", func(add func(...any)) {
		add("folder", into)
		add("trail", m.Trail)
		add("asked for", m.From+" to "+m.To)
		add("days", len(m.Segments))
		add("records", got.Report.Frames)
		add("taken out", m.Created.UTC().Format(time.RFC3339)+" by "+m.By)
		add("signature", signature)
		for _, l := range got.Report.Losses {
			add("lost", fmt.Sprintf("records %d to %d, as the trail itself tells", l.FirstMissed, l.LastMissed))
		}
	})
}
