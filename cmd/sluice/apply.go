package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"sluice/internal/catalog"
	"sluice/internal/mlflowconfig"
)

func applyCommand() *cobra.Command {
	r := &remote{}
	var file string
	var private bool
	cmd := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Create or update the endpoints of an MLflow gateway file",
		Long: "Create or update the endpoints that a file names, all of them or none. The file is what\n" +
			"\"mlflow gateway start --config-path\" reads. Values may be $NAME (environment) or file:PATH, and a key that\n" +
			"ends in api_key may be the path of a file; all are read here, on this machine. A new endpoint is open to\n" +
			"everyone with a token, as it was on MLflow's server, unless the file has permissions for it or --private is given.",
		Args: exactly(),
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
			body, err := json.Marshal(wireFile(parsed.Endpoints))
			if err != nil {
				return fmt.Errorf("writing the request: %w", err)
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

// The shapes of MLflow's file, written as JSON.
type (
	wireModel struct {
		Provider string            `json:"provider"`
		Name     string            `json:"name"`
		Config   map[string]string `json:"config"`
	}
	wirePermissions struct {
		Everyone      bool     `json:"everyone"`
		Users         []string `json:"users,omitempty"`
		Organizations []string `json:"organizations,omitempty"`
		Roles         []string `json:"roles,omitempty"`
		Projects      []string `json:"projects,omitempty"`
	}
	wireEndpoint struct {
		Name        string           `json:"name"`
		Type        string           `json:"endpoint_type"`
		Model       wireModel        `json:"model"`
		Limit       *catalog.Limit   `json:"limit,omitempty"`
		Permissions *wirePermissions `json:"permissions,omitempty"`
	}
)

func wireFile(endpoints []mlflowconfig.Endpoint) map[string][]wireEndpoint {
	list := []wireEndpoint{}
	for _, e := range endpoints {
		w := wireEndpoint{
			Name: e.Name, Type: string(e.Type), Limit: e.Limit,
			Model: wireModel{Provider: e.Provider, Name: e.Model, Config: e.Config},
		}
		if p := e.Permissions; p != nil {
			w.Permissions = &wirePermissions{p.Everyone, p.Users, p.Organizations, p.Roles, p.Projects}
		}
		list = append(list, w)
	}
	return map[string][]wireEndpoint{"endpoints": list}
}
