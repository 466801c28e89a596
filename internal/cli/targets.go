package cli

import (
	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func targetsCommand(r *remote) *cobra.Command {
	return group("targets", "List and change the targets of an endpoint: its models, their shares and their fallbacks",
		targetsListCommand(r), targetsAddCommand(r), targetsSetCommand(r), targetsRemoveCommand(r))
}

func targetsListCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "list NAME",
		Short: "List the targets of an endpoint",
		Args:  Exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			list, err := c.Targets(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return r.showTargets(cmd, list)
		},
	}
}

func (r *remote) showTargets(cmd *cobra.Command, list api.TargetList) error {
	return r.show(cmd, list, "TARGET ORDER WEIGHT PROVIDER MODEL STATE", func(add func(...any)) {
		for _, t := range list.Targets {
			state := "on"
			if t.Disabled {
				state = "off"
			}
			if t.Problem != "" {
				state += ": " + t.Problem
			}
			add(t.Name, t.Order, t.Weight, t.ModelProvider, t.ModelName, state)
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
	var d details
	var p placing
	cmd := &cobra.Command{
		Use:   "add NAME TARGET",
		Short: "Add a target to an endpoint",
		Args:  Exactly("NAME", "TARGET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for flag, value := range map[string]string{"--provider": d.provider, "--model": d.model} {
				if value == "" {
					return usagef("%s is required", flag)
				}
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			config, err := d.config(cmd)
			if err != nil {
				return err
			}
			t, err := c.AddTarget(cmd.Context(), args[0], api.NewTarget{
				Name: args[1], Weight: &p.weight, Order: p.order, Disabled: p.disabled,
				ModelProvider: d.provider, ModelName: d.model, ModelConfig: config,
			})
			if err != nil {
				return err
			}
			return r.showTarget(cmd, t)
		},
	}
	d.modelFlags(cmd)
	p.flags(cmd)
	return cmd
}

func (r *remote) showTarget(cmd *cobra.Command, t api.Target) error {
	return r.show(cmd, t, "", func(add func(...any)) {
		add("target", t.Name)
		add("id", t.TargetID)
		add("order", t.Order)
		add("weight", t.Weight)
		add("disabled", t.Disabled)
		add("provider", t.ModelProvider)
		add("model", t.ModelName)
		addConfig(add, t.ModelConfig, t.ModelConfigSecrets)
		if t.Problem != "" {
			add("problem", t.Problem)
		}
	})
}

// addConfig shows parameters, and the names of keys.
func addConfig(add func(...any), config map[string]string, secrets []string) {
	for _, key := range sortedKeys(config) {
		add(key, config[key])
	}
	for _, key := range secrets {
		add(key, "(set, not shown)")
	}
}

func targetsSetCommand(r *remote) *cobra.Command {
	var d details
	var p placing
	cmd := &cobra.Command{
		Use:   "set NAME [TARGET]",
		Short: "Change a target, or the head timeout of the endpoint",
		Long: "Change a target: what is not given stays. --set and --secret change the parameters that they name; an empty\n" +
			"--set takes one away. --head-timeout is the endpoint's, and needs no TARGET: how long a target may take until\n" +
			"the head of its reply before the next one is tried.",
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
			patch, err := p.patch(cmd, &d, c, args[0], args[1])
			if err != nil {
				return err
			}
			t, err := c.UpdateTarget(cmd.Context(), args[0], args[1], patch)
			if err != nil {
				return err
			}
			return r.showTarget(cmd, t)
		},
	}
	d.modelFlags(cmd)
	p.flags(cmd)
	cmd.Flags().StringVar(&p.name, "name", "", "new name")
	cmd.Flags().StringVar(&p.headTimeout, "head-timeout", "", "such as 30s; 0s: none")
	return cmd
}

// patch is what the flags that were given change.
func (p *placing) patch(cmd *cobra.Command, d *details, c *client.Client, endpoint, name string) (out api.TargetPatch, err error) {
	changed := cmd.Flags().Changed
	if changed("weight") {
		out.Weight = &p.weight
	}
	if changed("order") {
		out.Order = &p.order
	}
	if changed("disabled") {
		out.Disabled = &p.disabled
	}
	for value, into := range map[*string]**string{&p.name: &out.Name, &d.provider: &out.ModelProvider, &d.model: &out.ModelName} {
		if *value != "" {
			*into = value
		}
	}
	out.ModelConfig, err = d.changed(cmd, func() (string, map[string]string, error) {
		now, err := c.GetTarget(cmd.Context(), endpoint, name)
		return now.ModelProvider, now.ModelConfig, err
	})
	return out, err
}

func targetsRemoveCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME TARGET",
		Short: "Take a target from an endpoint",
		Args:  Exactly("NAME", "TARGET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			if err := c.RemoveTarget(cmd.Context(), args[0], args[1]); err != nil {
				return err
			}
			return r.say(cmd, map[string]string{"removed": args[1]}, "Target %s of the endpoint %s is removed.", args[1], args[0])
		},
	}
}
