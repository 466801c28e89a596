package cli

import (
	"context"
	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func targetsCommand(r *remote) *cobra.Command {
	return group("targets", "List and change the targets of an endpoint: its models, their shares and their fallbacks",
		targetsListCommand(r), targetsShowCommand(r), targetsAddCommand(r), targetsSetCommand(r), targetsRemoveCommand(r))
}

func targetsListCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:               "list NAME",
		Short:             "List the targets of an endpoint",
		Args:              Exactly("NAME"),
		ValidArgsFunction: firstArg(r.completeEndpoints()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			list, err := c.Targets(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return r.showTargets(cmd, list)
		}),
	}
}

func targetsShowCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:               "show NAME TARGET",
		Short:             "Show a target of an endpoint",
		Args:              Exactly("NAME", "TARGET"),
		ValidArgsFunction: r.endpointAndTarget(),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			t, err := c.GetTarget(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			return r.showTarget(cmd, c, t)
		}),
	}
}

// endpointAndTarget completes the two.
func (r *remote) endpointAndTarget() completer {
	return argsInTurn(r.completeEndpoints(), r.completeTargets())
}

func (r *remote) showTargets(cmd *cobra.Command, list api.TargetList) error {
	return r.show(cmd, list, "TARGET ORDER WEIGHT PROVIDER MODEL STATE", func(add func(...any)) {
		for _, t := range list.Targets {
			add(t.Name, t.Order, t.Weight, t.ModelProvider, t.ModelName, state(t.Disabled, t.Problem))
		}
	})
}

// placing are the flags that say what a target is among the others.
type placing struct {
	weight, order int64
	disabled      bool
	name          string
	headTimeout   string
}

func (p *placing) flags(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.Int64Var(&p.weight, "weight", 1, "share of the calls among targets of the same order; 0: only when others failed")
	fl.Int64Var(&p.order, "order", 0, "0 is tried first, higher ones when all of a lower order failed")
	fl.BoolVar(&p.disabled, "disabled", false, "the target gets no calls")
}

func targetsAddCommand(r *remote) *cobra.Command {
	var m model
	var p placing
	cmd := &cobra.Command{
		Use:               "add NAME TARGET",
		Short:             "Add a target to an endpoint",
		Args:              Exactly("NAME", "TARGET"),
		ValidArgsFunction: firstArg(r.completeEndpoints()),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(cmd, "provider", "model"); err != nil {
				return err
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			config, err := m.config(cmd)
			if err != nil {
				return err
			}
			credential, err := m.credentialID(cmd.Context(), c)
			if err != nil {
				return err
			}
			t, err := c.AddTarget(cmd.Context(), args[0], api.NewTarget{
				Name: args[1], Weight: &p.weight, Order: p.order, Disabled: p.disabled,
				ModelProvider: m.provider, ModelName: m.name, ModelConfig: config, CredentialID: credential,
			})
			if err != nil {
				return err
			}
			return r.showTarget(cmd, c, t)
		},
	}
	m.flags(cmd, r)
	p.flags(cmd)
	return cmd
}

func (r *remote) showTarget(cmd *cobra.Command, c *client.Client, t api.Target) error {
	return r.show(cmd, t, "", func(add func(...any)) {
		add("target", t.Name)
		add("id", t.TargetID)
		add("order", t.Order)
		add("weight", t.Weight)
		add("disabled", t.Disabled)
		add("provider", t.ModelProvider)
		add("model", t.ModelName)
		addConfig(add, t.ModelConfig, t.ModelConfigSecrets, credentialName(cmd.Context(), c, t.CredentialID))
		if t.Problem != "" {
			add("problem", t.Problem)
		}
	})
}

func targetsSetCommand(r *remote) *cobra.Command {
	var m model
	var p placing
	cmd := &cobra.Command{
		Use:   "set NAME [TARGET]",
		Short: "Change a target, or the head timeout of the endpoint",
		Long: "Change a target: what is not given stays. --set and --secret change the parameters that they name; an empty\n" +
			"--set takes one away. --head-timeout is the endpoint's, and needs no TARGET: how long a target may take until\n" +
			"the head of its reply before the next one is tried.",
		ValidArgsFunction: r.endpointAndTarget(),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return usagef("%s takes NAME and, for all but --head-timeout, TARGET", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			timeout := cmd.Flags().Changed("head-timeout")
			switch {
			case len(args) == 1 && !timeout:
				return usagef("TARGET is required, or --head-timeout")
			case len(args) == 2 && timeout:
				return usagef("--head-timeout is the endpoint's: give it without TARGET")
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			if timeout {
				list, err := c.PutTargets(cmd.Context(), args[0], api.TargetsPut{HeadTimeout: &p.headTimeout})
				if err != nil {
					return err
				}
				return r.showTargets(cmd, list)
			}
			ctx, now, err := asRead(cmd.Context(), targetOf(c, args[0]), args[1])
			if err != nil {
				return err
			}
			patch, err := p.patch(cmd, &m, c, now)
			if err != nil {
				return err
			}
			t, err := c.UpdateTarget(ctx, args[0], args[1], patch)
			if err != nil {
				return err
			}
			return r.showTarget(cmd, c, t)
		},
	}
	m.flags(cmd, r)
	p.flags(cmd)
	cmd.Flags().StringVar(&p.name, "name", "", "new name")
	cmd.Flags().StringVar(&p.headTimeout, "head-timeout", "", "such as 30s; 0s: none")
	return cmd
}

// targetOf reads a target of an endpoint by its name.
func targetOf(c *client.Client, endpoint string) func(context.Context, string) (api.Target, error) {
	return func(ctx context.Context, name string) (api.Target, error) { return c.GetTarget(ctx, endpoint, name) }
}

// patch is what the flags that were given change of a target as it is now.
func (p *placing) patch(cmd *cobra.Command, m *model, c *client.Client, now api.Target) (out api.TargetPatch, err error) {
	changed(cmd, "weight", &out.Weight, &p.weight)
	changed(cmd, "order", &out.Order, &p.order)
	changed(cmd, "disabled", &out.Disabled, &p.disabled)
	given(&out.Name, &p.name)
	given(&out.ModelProvider, &m.provider)
	given(&out.ModelName, &m.name)
	if out.CredentialID, err = m.newCredential(cmd, c); err != nil {
		return out, err
	}
	out.ModelConfig, err = m.changedConfig(cmd, now.ModelProvider, now.ModelConfig)
	return out, err
}

func targetsRemoveCommand(r *remote) *cobra.Command {
	return r.yesFlag(&cobra.Command{
		Use:               "remove NAME TARGET",
		Short:             "Take a target from an endpoint",
		Args:              Exactly("NAME", "TARGET"),
		ValidArgsFunction: r.endpointAndTarget(),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			ctx := unlessChanged(cmd.Context(), targetOf(c, args[0]), args[1])
			if err := r.confirm(cmd, "Take the target %s from the endpoint %s?", args[1], args[0]); err != nil {
				return err
			}
			if err := c.RemoveTarget(ctx, args[0], args[1]); err != nil {
				return err
			}
			return r.say(cmd, map[string]string{"removed": args[1]}, "Target %s of the endpoint %s is removed.", args[1], args[0])
		}),
	})
}
