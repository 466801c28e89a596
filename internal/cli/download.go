package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"sluice/internal/client"
)

func auditDownloadCommand(r *remote) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "download",
		Short: "Download what happened to endpoints and with them in the past six months",
		Long: "Download what happened to endpoints and with them in the past six months, oldest first: a line each, or with\n" +
			"-o json an array in Domino's shape. With --to it goes to a file that only you can read.",
		Args: Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.output != outputTable && r.output != outputJSON {
				return usagef("--output takes table, for text, or json")
			}
			return r.run(func(cmd *cobra.Command, c *client.Client, _ []string) error {
				kept, err := newSecretFile(file)
				if err != nil {
					return fmt.Errorf("keeping the download: %w", err)
				}
				defer kept.discard()
				asJSON := r.output == outputJSON
				if kept == nil {
					return c.DownloadAudit(cmd.Context(), asJSON, cmd.OutOrStdout())
				}
				if err := c.DownloadAudit(cmd.Context(), asJSON, kept.tmp); err != nil {
					return err
				}
				if err := kept.keep(""); err != nil {
					return fmt.Errorf("keeping the download: %w", err)
				}
				_, err = fmt.Fprintf(cmd.ErrOrStderr(), "The download is in %s.\n", kept.name)
				return err
			})(cmd, nil)
		},
	}
	cmd.Flags().StringVar(&file, "to", "", "file to write to")
	return cmd
}
