package cli

import (
	"errors"
	"fmt"
	"maps"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func endpointsTestCommand(r *remote) *cobra.Command {
	var m model
	var kind, name string
	cmd := &cobra.Command{
		Use:   "test [NAME]",
		Short: "Try whether the provider takes the key and knows the model, by one small call",
		Long: "Try whether the provider takes the key and knows the model, by one small call. With NAME it is a target of that\n" +
			"endpoint, with the flags in place of what is stored; without NAME the flags say all, before anything is saved.\n" +
			"The exit code is 1 where the provider says no.",
		Args:              atMostOne("NAME"),
		ValidArgsFunction: firstArg(r.completeEndpoints()),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				if err := required(cmd, "type", "provider", "model"); err != nil {
					return err
				}
			}
			return r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
				in := api.TargetTest{EndpointType: kind, ModelProvider: m.provider, ModelName: m.name, TargetName: name}
				var err error
				if in.ModelConfig, err = m.config(cmd); err != nil {
					return err
				}
				if in.CredentialID, err = m.credentialID(cmd.Context(), c); err != nil {
					return err
				}
				if len(args) == 1 {
					if err := storedTarget(cmd, c, args[0], &in); err != nil {
						return err
					}
				}
				return r.testTarget(cmd, c, in)
			})(cmd, args)
		},
	}
	m.flags(cmd, r)
	cmd.Flags().StringVar(&kind, "type", "", "llm/v1/chat, llm/v1/completions or llm/v1/embeddings")
	cmd.Flags().StringVar(&name, "target", "", "name of the target (default the first)")
	complete(cmd, "type", fixed("llm/v1/chat", "llm/v1/completions", "llm/v1/embeddings"))
	return cmd
}

// storedTarget fills in what the flags did not say.
func storedTarget(cmd *cobra.Command, c *client.Client, endpoint string, in *api.TargetTest) error {
	e, err := c.GetEndpoint(cmd.Context(), endpoint)
	if err != nil {
		return err
	}
	list, err := c.Targets(cmd.Context(), endpoint)
	if err != nil {
		return err
	}
	for _, t := range list.Targets {
		if in.TargetName != "" && in.TargetName != t.Name {
			continue
		}
		in.EndpointName, in.TargetName = endpoint, t.Name
		in.EndpointType = first(in.EndpointType, e.EndpointType)
		if in.ModelProvider == "" || sameProvider(in.ModelProvider, t.ModelProvider) {
			config := maps.Clone(t.ModelConfig)
			maps.Copy(config, in.ModelConfig)
			in.ModelConfig = config
			in.CredentialID = first(in.CredentialID, t.CredentialID)
		}
		in.ModelProvider, in.ModelName = first(in.ModelProvider, t.ModelProvider), first(in.ModelName, t.ModelName)
		return nil
	}
	return noSuch{"target of " + endpoint, in.TargetName}
}

func (r *remote) testTarget(cmd *cobra.Command, c *client.Client, in api.TargetTest) error {
	result, err := c.TestTarget(cmd.Context(), in)
	if err != nil {
		return err
	}
	err = r.show(cmd, result, "", func(add func(...any)) {
		add("works", result.OK)
		add("took", fmt.Sprintf("%d ms", result.DurationMillis))
		if result.Status != 0 {
			add("status", result.Status)
		}
		if result.Code != "" {
			add("code", result.Code)
		}
	})
	if err == nil && !result.OK {
		err = errors.New(printable(result.Message))
	}
	return err
}
