package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"sluice/internal/mlflowconfig"
)

func applyCommand() *cobra.Command {
	r := &remote{}
	var file string
	var private bool
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Create or update the endpoints and routes of an MLflow gateway file",
		Long: "Create or update the endpoints and routes that a file names, all of them or none, and say for each whether it\n" +
			"was created, updated or unchanged. The file is what \"mlflow gateway start --config-path\" reads. Values may be\n" +
			"$NAME (environment) or file:PATH, and a key that ends in api_key, or credentials of several lines, may be the\n" +
			"path of a file; all are read here, on this machine. A new endpoint is open to everyone with a token, as it was\n" +
			"on MLflow's server, unless the file has permissions for it or --private is given.",
		Args: Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return usagef("-f FILE is required")
			}
			parsed, err := readFile(cmd, file)
			if err != nil {
				return err
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			body, err := mlflowconfig.Marshal(parsed.Endpoints)
			if err != nil {
				return err
			}
			result, err := c.Apply(cmd.Context(), body, !private)
			if err != nil {
				return err
			}
			return r.show(cmd, result, "", func(add func(...any)) {
				for _, a := range result.Results {
					add(a.EndpointName, a.Change)
				}
			})
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "the file; - for the standard input")
	cmd.Flags().BoolVar(&private, "private", false, "new endpoints without permissions in the file are open to nobody")
	return withRemote(cmd, r)
}

// readFile reads a file with the values that it refers to.
func readFile(cmd *cobra.Command, file string) (*mlflowconfig.File, error) {
	var data []byte
	var err error
	if file == "-" {
		data, err = io.ReadAll(cmd.InOrStdin())
	} else {
		data, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the endpoints: %w", err)
	}
	parsed, err := mlflowconfig.Parse(file, data, mlflowconfig.Options{Resolve: mlflowconfig.Resolver(os.LookupEnv)})
	if err != nil {
		return nil, err
	}
	for _, w := range parsed.Warnings {
		fmt.Fprintf(cmd.ErrOrStderr(), "Warning: %s\n", w)
	}
	return parsed, nil
}
