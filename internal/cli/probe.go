package cli

import (
	"errors"
	"fmt"
	"maps"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

// targetFlags are the flags that describe a target to try.
type targetFlags struct {
	model

	in api.TargetTest
}

// flags adds the flags; kind is the type of endpoint when nobody says.
func (t *targetFlags) flags(cmd *cobra.Command, r *remote, kind string) {
	t.model.flags(cmd, r)
	cmd.Flags().StringVar(&t.in.EndpointType, "type", kind, "llm/v1/chat, llm/v1/completions or llm/v1/embeddings")
	cmd.Flags().StringVar(&t.in.TargetName, "target", "", "name of the endpoint's target (default the first)")
	complete(cmd, "type", fixed("llm/v1/chat", "llm/v1/completions", "llm/v1/embeddings"))
}

// described is what the flags say of the target.
func (t *targetFlags) described(cmd *cobra.Command, c *client.Client) (in api.TargetTest, err error) {
	in = t.in
	in.ModelProvider, in.ModelName = t.provider, t.name
	if in.ModelConfig, err = t.config(cmd); err != nil {
		return in, err
	}
	in.CredentialID, err = t.credentialID(cmd.Context(), c)
	return in, err
}

func credentialsTestCommand(r *remote) *cobra.Command {
	var t targetFlags
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Try whether a provider takes a key and knows a model, before anything is saved",
		Long: "Try whether a provider takes a key and knows a model, by one small call. The key is given with --secret, or is that\n" +
			"of a stored credential (--credential) or of an endpoint (--endpoint, with --target where it has several). It exits\n" +
			"with 1 when the call did not work.",
		Args: Exactly(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(cmd, "type", "provider", "model"); err != nil {
				return err
			}
			return r.run(func(cmd *cobra.Command, c *client.Client, _ []string) error {
				in, err := t.described(cmd, c)
				if err != nil {
					return err
				}
				return r.testTarget(cmd, c, in)
			})(cmd, args)
		},
	}
	t.flags(cmd, r, "llm/v1/chat")
	cmd.Flags().StringVar(&t.in.EndpointName, "endpoint", "", "endpoint whose stored key is tried")
	complete(cmd, "endpoint", r.completeEndpoints())
	return cmd
}

func endpointsTestCommand(r *remote) *cobra.Command {
	var t targetFlags
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
				in, err := t.described(cmd, c)
				if err != nil {
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
	t.flags(cmd, r, "")
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
