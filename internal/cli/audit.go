package cli

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"sluice/internal/audit"
	"sluice/internal/client"
)

func auditCommand() *cobra.Command {
	r := &remote{}
	return withRemote(group("audit", "Look at the trail, and prove that it is whole",
		auditSearchCommand(r), auditTailCommand(r), auditShowCommand(r), auditDownloadCommand(r), auditVerifyCommand(r),
		auditHoldCommand(r), auditExportCommand(r), auditImportCommand(r),
		auditSinksCommand(r), auditReplayCommand(r), auditDeadLettersCommand(r),
		auditConsumeCommand()), r)
}

func auditShowCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show the record of an exchange, both bodies included, as JSON",
		Args:  Exactly("ID"),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			record, err := c.GetAudit(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return printJSON(cmd.OutOrStdout(), record)
		}),
	}
}

func auditVerifyCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Prove that no record under --data was changed or removed",
		Long: "Walk the trail under --data and check its hash chain. Nothing is changed, and the gateway may be running\n" +
			"or not. The exit code is 1 when a record is not as it was written; the first bad one is named.",
		Args: Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := audit.VerifyDir(cmd.Context(), filepath.Join(r.data, "audit"))
			if err != nil {
				return err
			}
			if err := r.showReport(cmd, report); err != nil {
				return err
			}
			if err := report.Err(); err != nil {
				return errors.Join(errors.New("the trail is not whole"), err)
			}
			return nil
		},
	}
}

func (r *remote) showReport(cmd *cobra.Command, v audit.Report) error {
	return r.show(cmd, v, "", func(add func(...any)) {
		add("days", v.Segments)
		add("records", v.Frames)
		add("exchanges", v.Exchanges)
		add("events", v.Events)
		add("under way", v.UnderWay)
		add("last", v.LastSequence)
		add("chain", v.Hash)
		if p := v.Problem; p != nil {
			add("first bad", fmt.Sprintf("record %d in %s at byte %d: %s", p.Sequence, p.File, p.Offset, p.Reason))
		}
		for _, l := range v.Losses {
			add("lost", fmt.Sprintf("records %d to %d", l.FirstMissed, l.LastMissed))
		}
	})
}
