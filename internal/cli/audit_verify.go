package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/client"
)

// auditVerify are the flags of sluice audit verify.
type auditVerify struct {
	dir, from, to string
	keys          []string
	gateway       bool
}

func auditVerifyCommand(r *remote) *cobra.Command {
	var v auditVerify
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove that no record of a trail was changed or removed",
		Long: "Walk the trail under --data, or in the folder --dir, and check its hash chain and its signatures. Nothing is\n" +
			"changed, and the gateway may be running or not. With --from and --to only the days that hold the range are read, and\n" +
			"what links them to those around them.\n\n" +
			"Without --key the public keys are those in the folder, which whoever can write the folder can replace. Give the key\n" +
			"that you kept elsewhere (sluice audit keys), and everything up to the end has to be signed with it, or with one that\n" +
			"it vouches for.\n\n" +
			"With --remote the gateway verifies, as an administrator or auditor asks it to, one at a time; that is recorded.\n\n" +
			"The exit code is 0 when all is as it was written, 1 when it is not, and then the first bad record is named, and 2 when\n" +
			"the command was called wrongly.",
		Args: Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := v.options(time.Now())
			if err != nil {
				return err
			}
			dir := v.dir
			if dir == "" {
				dir = filepath.Join(r.data, "audit")
			}
			if v.gateway {
				return r.run(func(cmd *cobra.Command, c *client.Client, _ []string) error {
					report, err := v.remotely(cmd, c)
					if err != nil {
						return err
					}
					return r.reported(cmd, report, o)
				})(cmd, nil)
			}
			report, err := audit.VerifyDirWith(cmd.Context(), dir, o)
			if err != nil {
				return err
			}
			return r.reported(cmd, report, o)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&v.dir, "dir", "", "folder of a trail, e.g. one that was imported (default: audit in --data)")
	fl.StringArrayVar(&v.keys, "key", nil, "file with public keys, or one in base64; can be repeated")
	fl.StringVar(&v.from, "from", "", "day, time or sequence from which to verify, e.g. 2030-01-31")
	fl.StringVar(&v.to, "to", "", "day, time or sequence to verify up to, e.g. 2030-01-31T12:00:00Z; a day is verified whole")
	fl.BoolVar(&v.gateway, "remote", false, "have the gateway verify, which also knows the end of the trail, and show how far it is")
	cmd.MarkFlagsMutuallyExclusive("remote", "dir")
	return cmd
}

func (v *auditVerify) options(now time.Time) (o audit.VerifyOptions, err error) {
	if o.From, o.First, err = audit.ParseVerifyBound(v.from, false); err != nil {
		return o, usagef("--from must be %v", err)
	}
	if o.To, o.Last, err = audit.ParseVerifyBound(v.to, true); err != nil {
		return o, usagef("--to must be %v", err)
	}
	if err := o.Check(now); err != nil {
		return o, usagef("--%v", err)
	}
	given, err := v.given()
	if err != nil {
		return o, err
	}
	for i, text := range given {
		keys, err := audit.ParseKeys([]byte(text))
		if err != nil {
			return o, usagef("--key %s: %v", v.keys[i], err)
		}
		o.Keys, o.Signed = append(o.Keys, keys...), true
	}
	return o, nil
}

// given are the texts of --key.
func (v *auditVerify) given() (texts []string, err error) {
	for _, given := range v.keys {
		text, err := os.ReadFile(given)
		if errors.Is(err, os.ErrNotExist) {
			text, err = []byte(given), nil // base64
		}
		if err != nil {
			return nil, fmt.Errorf("reading --key: %w", err)
		}
		texts = append(texts, string(text))
	}
	return texts, nil
}

// remote has the gateway verify, and waits. Interrupted, it stops that.
func (v *auditVerify) remotely(cmd *cobra.Command, c *client.Client) (audit.Report, error) {
	ctx := cmd.Context()
	in := api.NewVerification{From: v.from, To: v.to}
	var err error
	if in.Keys, err = v.given(); err != nil {
		return audit.Report{}, err
	}
	job, err := c.StartVerification(ctx, in)
	tick := time.NewTicker(verifyPoll)
	defer tick.Stop()
	told := ""
	for err == nil && job.State == api.VerificationRunning {
		if text := fmt.Sprintf("%d %%", 100*job.BytesRead/max(job.Bytes, 1)); text != told {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s of %d MB\n", text, job.Bytes/1_000_000)
			told = text
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			stopping, cancel := context.WithTimeout(context.Background(), stopPatience)
			defer cancel()
			_, err := c.StopVerification(stopping)
			return audit.Report{}, errors.Join(ctx.Err(), err)
		}
		job, err = c.Verification(ctx)
	}
	switch {
	case err != nil:
		return audit.Report{}, err
	case job.Report == nil:
		return audit.Report{}, fmt.Errorf("verifying the trail: %s: %s", job.State, first(job.Error, "somebody stopped it"))
	}
	return *job.Report, nil
}

const (
	// verifyPoll is how often it is asked how far a verification is.
	verifyPoll = 500 * time.Millisecond
	// stopPatience bounds how long a command that is interrupted waits for the gateway.
	stopPatience = 5 * time.Second
)

// reported shows a report, and is an error where the trail is not whole.
func (r *remote) reported(cmd *cobra.Command, report audit.Report, o audit.VerifyOptions) error {
	if err := r.showReport(cmd, report, o); err != nil {
		return err
	}
	if err := report.Err(); err != nil {
		return errors.Join(errors.New("the trail is not whole"), err)
	}
	return nil
}

func (r *remote) showReport(cmd *cobra.Command, v audit.Report, o audit.VerifyOptions) error {
	return r.show(cmd, v, "", func(add func(...any)) {
		add("days", v.Segments)
		add("records", v.Frames)
		add("exchanges", v.Exchanges)
		add("events", v.Events)
		add("under way", v.UnderWay)
		add("first", v.FirstSequence)
		add("last", v.LastSequence)
		add("chain", v.Hash)
		g := v.Signatures
		from := "from the folder itself"
		if o.Signed {
			from = "given"
		}
		for _, k := range g.Keys {
			add("signed by", fmt.Sprintf("key %s (%s): %d checkpoints, records up to %d", k.ID, from, k.Checkpoints, k.Last))
		}
		for _, u := range g.Unsigned {
			add("not signed", fmt.Sprintf("records %d to %d: %s", u.From, u.To, u.Reason))
		}
		if p := v.Problem; p != nil {
			add("first bad", fmt.Sprintf("record %d in %s at byte %d: %s", p.Sequence, p.File, p.Offset, p.Reason))
		}
		for _, l := range v.Losses {
			add("lost", fmt.Sprintf("records %d to %d", l.FirstMissed, l.LastMissed))
		}
	})
}
