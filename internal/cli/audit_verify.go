package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/audit"
)

// auditVerify are the flags of sluice audit verify.
type auditVerify struct {
	dir, from, to string
	keys          []string
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
			report, err := audit.VerifyDirWith(cmd.Context(), dir, o)
			if err != nil {
				return err
			}
			if err := r.showReport(cmd, report, o); err != nil {
				return err
			}
			if err := report.Err(); err != nil {
				return errors.Join(errors.New("the trail is not whole"), err)
			}
			return nil
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&v.dir, "dir", "", "folder of a trail, e.g. one that was imported (default: audit in --data)")
	fl.StringArrayVar(&v.keys, "key", nil, "file with public keys, or one in base64; can be repeated")
	fl.StringVar(&v.from, "from", "", "day, time or sequence from which to verify, e.g. 2030-01-31")
	fl.StringVar(&v.to, "to", "", "day, time or sequence to verify up to, e.g. 2030-01-31T12:00:00Z; a day is verified whole")
	return cmd
}

func (v *auditVerify) options(now time.Time) (o audit.VerifyOptions, err error) {
	if o.From, o.First, err = verifyBound("--from", v.from, false); err != nil {
		return o, err
	}
	if o.To, o.Last, err = verifyBound("--to", v.to, true); err != nil {
		return o, err
	}
	if !o.From.IsZero() && !o.To.IsZero() && !o.From.Before(o.To) || o.First != 0 && o.Last != 0 && o.First > o.Last {
		return o, usagef("--from must be before --to")
	}
	if o.From.After(now) {
		return o, usagef("--from is in the future")
	}
	for _, given := range v.keys {
		text, err := os.ReadFile(given)
		if errors.Is(err, os.ErrNotExist) {
			text, err = []byte(given), nil // base64
		}
		if err != nil {
			return o, fmt.Errorf("reading --key: %w", err)
		}
		keys, err := audit.ParseKeys(text)
		if err != nil {
			return o, usagef("--key %s: %v", given, err)
		}
		o.Keys, o.Signed = append(o.Keys, keys...), true
	}
	return o, nil
}

// verifyBound reads a day, a time or a sequence. A day that ends a range is in
// it.
func verifyBound(flag, text string, end bool) (time.Time, uint64, error) {
	if text == "" {
		return time.Time{}, 0, nil
	}
	if seq, err := strconv.ParseUint(text, 10, 64); err == nil && seq > 0 {
		return time.Time{}, seq, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		if end {
			day = day.AddDate(0, 0, 1)
		}
		return day, 0, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, 0, usagef("%s must be a day as 2030-01-31, a time as 2030-01-31T12:00:00Z, or a sequence", flag)
	}
	return at, 0, nil
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
