package cli

import (
	"github.com/spf13/cobra"

	"sluice/internal/client"
)

func auditCommand() *cobra.Command {
	r := &remote{}
	return withRemote(group("audit", "Look at the trail, and prove that it is whole",
		auditSearchCommand(r), auditTailCommand(r), auditShowCommand(r), auditDownloadCommand(r), auditVerifyCommand(r), auditKeysCommand(r),
		auditHoldCommand(r), auditExportCommand(r), auditImportCommand(r),
		auditSinksCommand(r), auditReplayCommand(r), auditDeadLettersCommand(r),
		auditConsumeCommand()), r)
}

func auditShowCommand(r *remote) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show the record of an exchange, both bodies included, as JSON",
		Args:  Exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if dir != "" {
				return showFrom(cmd, dir, args[0])
			}
			return r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
				record, err := c.GetAudit(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return printJSON(cmd.OutOrStdout(), record)
			})(cmd, args)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder of a trail on this machine, in place of a gateway")
	return cmd
}
