package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func auditSinksCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "sinks",
		Short: "Show where the trail is streamed to, and how that does",
		Long: "Show the sinks of the trail: up to which sequence each has sent, how many sequences are behind that, how long the\n" +
			"oldest record waits, and why the last try failed. -o json has replays and all counters too.",
		Args: Exactly(),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			found, err := c.Sinks(cmd.Context())
			if err != nil {
				return err
			}
			return r.show(cmd, found, "NAME TYPE FORMAT STATE MARK LAG OLDEST SENT ERRORS DEAD LAST-ERROR", func(add func(...any)) {
				for _, s := range found.Sinks {
					oldest := time.Duration(s.OldestSeconds * float64(time.Second)).Round(time.Second)
					add(s.Name, s.Type, s.Format, s.State, s.Mark, s.Lag, oldest, s.Sent, s.Errors, s.DeadLetters, s.LastError)
				}
				for _, name := range found.Forgotten {
					add(name, "", "", "not configured", "", "", "", "", "", "", "")
				}
			})
		}),
	}
}

func auditReplayCommand(r *remote) *cobra.Command {
	var from, to string
	var first, last uint64
	var letters, cancel bool
	cmd := &cobra.Command{
		Use:   "replay NAME",
		Short: "Send a range of the trail to a sink again, or its dead letters, or cancel that",
		Long: "Send a range of the trail to a sink again, beside what is new: by the time of the records (--from and --to), by the\n" +
			"sequence that completed them (--first and --last), or both. Or send the dead letters again (--dead-letters).\n" +
			"The replay goes on by itself; sluice audit sinks -o json shows how far it is. --cancel ends all that are under way.",
		Example: "  sluice audit replay siem --from 2026-03-10T08:00:00Z --to 2026-03-10T12:00:00Z",
		Args:    Exactly("NAME"),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			var replay api.Replay
			in := api.NewReplay{FirstSequence: first, LastSequence: last}
			err := errors.Join(moment("from", from, &in.From), moment("to", to, &in.To))
			switch {
			case err != nil:
				return err
			case cancel && (letters || in != (api.NewReplay{})):
				return usagef("--cancel takes no range and not --dead-letters: it ends what is under way")
			case cancel:
				ended, err := c.CancelReplays(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return r.show(cmd, ended, "ID STATE SENT", func(add func(...any)) {
					for _, p := range ended.Replays {
						add(p.ID, p.State, p.Sent)
					}
				})
			case letters && in != (api.NewReplay{}):
				return usagef("--dead-letters takes no range")
			case letters:
				replay, err = c.RetryDeadLetters(cmd.Context(), args[0])
			case in == (api.NewReplay{}):
				return usagef("say what to send again: --from and --to, --first and --last, or --dead-letters; or --cancel")
			default:
				replay, err = c.ReplaySink(cmd.Context(), args[0], in)
			}
			if err != nil {
				return err
			}
			return r.show(cmd, replay, "", func(add func(...any)) {
				add("id", replay.ID)
				add("state", replay.State)
			})
		}),
	}
	fl := cmd.Flags()
	fl.StringVar(&from, "from", "", "send what is not older than this day or time")
	fl.StringVar(&to, "to", "", "send what is older than this day or time")
	fl.Uint64Var(&first, "first", 0, "send from this sequence on")
	fl.Uint64Var(&last, "last", 0, "send up to this sequence")
	fl.BoolVar(&letters, "dead-letters", false, "send what the receiver refused again")
	fl.BoolVar(&cancel, "cancel", false, "end the replays that are under way")
	return cmd
}

func auditDeadLettersCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "dead-letters NAME",
		Short: "List the records that the receiver of a sink refused for good",
		Args:  Exactly("NAME"),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			found, err := c.DeadLetters(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return r.show(cmd, found, "RECORD TIME REFUSED TRIES REASON", func(add func(...any)) {
				for _, l := range found.DeadLetters {
					add(l.RecordID, second(l.Time), second(l.Refused), l.Tries, l.Reason)
				}
			})
		}),
	}
}

// sinkText is how a sink does, in a line.
func sinkText(k api.Sink) string {
	if k.State == api.SinkFailing {
		return fmt.Sprintf("%d behind, since %s: %s", k.Lag, second(k.Since), k.LastError)
	}
	if k.State == api.SinkStopping {
		return fmt.Sprintf("%d behind, does not end: what it writes to hangs", k.Lag)
	}
	return fmt.Sprintf("%d behind, %d sent", k.Lag, k.Sent)
}

// moment reads a flag that is a time; "" leaves it out.
func moment(name, text string, into **time.Time) error {
	if text == "" {
		return nil
	}
	t, err := dayOrTime(text)
	if err != nil {
		return usagef("--%s takes a day or a time, as 2030-01-31 or 2030-01-31T12:00:00Z", name)
	}
	*into = &t
	return nil
}
