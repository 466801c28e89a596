package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/client"
	"sluice/internal/snippets"
)

// codeCommand prints what the web UI offers to copy.
func codeCommand(r *remote) *cobra.Command {
	var language string
	ids := make([]string, 0, len(snippets.Languages()))
	for _, l := range snippets.Languages() {
		ids = append(ids, l.ID)
	}
	cmd := &cobra.Command{
		Use:   "code NAME",
		Short: "Print the code that calls an endpoint, ready to paste",
		Long: "Print the code that calls an endpoint, with the right address and CA in it. The token is read from the\n" +
			"environment variable SLUICE_TOKEN when the code runs, and is not in it.",
		Args:              Exactly("NAME"),
		ValidArgsFunction: firstArg(r.completeEndpoints()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			e, err := c.GetEndpoint(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			file, err := r.caFileForOthers()
			if err != nil {
				return err
			}
			in := snippets.Input{Address: c.Server(), CAPath: file, Endpoint: e.EndpointName, Type: e.EndpointType}
			text := snippets.For(language, in)
			if text == "" {
				return usagef("--language takes one of %s", strings.Join(ids, ", "))
			}
			if r.output != outputTable {
				return r.say(cmd, map[string]string{"language": language, "code": text}, "%s", text)
			}
			for _, l := range snippets.Languages() {
				if l.ID == language && l.Needs != "" {
					fmt.Fprintf(cmd.ErrOrStderr(), "Needs: %s\n", l.Needs)
				}
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		}),
	}
	cmd.Flags().StringVar(&language, "language", "mlflow", strings.Join(ids, ", "))
	complete(cmd, "language", fixed(ids...))
	return cmd
}
