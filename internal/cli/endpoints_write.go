package cli

import (
	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

// details are the flags that describe an endpoint.
type details struct {
	model

	kind, description, period, bodies string
	calls                             int64
}

func (d *details) flags(cmd *cobra.Command, r *remote) {
	d.model.flags(cmd, r)
	fl := cmd.Flags()
	fl.StringVar(&d.kind, "type", "", "llm/v1/chat, llm/v1/completions or llm/v1/embeddings")
	fl.StringVar(&d.description, "description", "", "what it is for, as people read it")
	fl.Int64Var(&d.calls, "limit-calls", 0, "calls in each period; 0: no limit")
	fl.StringVar(&d.period, "limit-period", "minute", "period of the limit, e.g. \"minute\" or \"5 minutes\"")
	fl.StringVar(&d.bodies, "audit-bodies", "", "the most that the audit trail keeps of bodies: full, redacted or none")
	complete(cmd, "audit-bodies", fixed("full", "redacted", "none"))
	complete(cmd, "type", fixed("llm/v1/chat", "llm/v1/completions", "llm/v1/embeddings"))
	complete(cmd, "limit-period", fixed("second", "minute", "hour", "day"))
}

func (d *details) limit() *api.Limit {
	if d.calls == 0 {
		return nil
	}
	return &api.Limit{Calls: d.calls, RenewalPeriod: d.period}
}

// required wants flags that a command can't do without.
func required(cmd *cobra.Command, flags ...string) error {
	for _, flag := range flags {
		if f := cmd.Flags().Lookup(flag); f.Value.String() == "" {
			return usagef("--%s is required", flag)
		}
	}
	return nil
}

func endpointsCreateCommand(r *remote) *cobra.Command {
	var d details
	var g grants
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create an endpoint",
		Long:  "Create an endpoint. Without --everyone, --user, --org, --role or --project nobody may call it yet.",
		Args:  Exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(cmd, "type", "provider", "model"); err != nil {
				return err
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			config, err := d.config(cmd)
			if err != nil {
				return err
			}
			credential, err := d.credentialID(cmd.Context(), c)
			if err != nil {
				return err
			}
			permissions, err := g.patch(cmd, c, "")
			if err != nil {
				return err
			}
			e, err := c.CreateEndpoint(cmd.Context(), api.NewEndpoint{
				EndpointName: args[0], EndpointType: d.kind, ModelProvider: d.provider, ModelName: d.name, Description: d.description,
				ModelConfig: config, CredentialID: credential, EndpointPermissions: &permissions, Limit: d.limit(),
				AuditBodies: d.bodies,
			})
			if err != nil {
				return err
			}
			return r.showEndpoint(cmd, c, e)
		},
	}
	d.flags(cmd, r)
	g.flags(cmd, r)
	return cmd
}

func endpointsUpdateCommand(r *remote) *cobra.Command {
	var d details
	var name string
	cmd := &cobra.Command{
		Use:   "update NAME",
		Short: "Change an endpoint",
		Long: "Change an endpoint: what is not given stays. --set and --secret change the parameters that they name;\n" +
			"an empty --set takes one away. A new provider starts without the old one's parameters and keys. Where there\n" +
			"are several targets, the model is that of the first.",
		Args:              Exactly("NAME"),
		ValidArgsFunction: firstArg(r.completeEndpoints()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			ctx, now, err := asRead(cmd.Context(), c.GetEndpoint, args[0])
			if err != nil {
				return err
			}
			patch, err := d.patch(cmd, c, now)
			if err != nil {
				return err
			}
			if name != "" {
				patch.EndpointName = &name
			}
			e, err := c.UpdateEndpoint(ctx, args[0], patch)
			if err != nil {
				return err
			}
			return r.showEndpoint(cmd, c, e)
		}),
	}
	d.flags(cmd, r)
	cmd.Flags().StringVar(&name, "name", "", "new name")
	return cmd
}

// patch is what the flags that were given change of an endpoint as it is now.
func (d *details) patch(cmd *cobra.Command, c *client.Client, now api.Endpoint) (p api.EndpointPatch, err error) {
	given(&p.EndpointType, &d.kind)
	given(&p.ModelProvider, &d.provider)
	given(&p.ModelName, &d.name)
	given(&p.AuditBodies, &d.bodies)
	changed(cmd, "description", &p.Description, &d.description)
	if cmd.Flags().Changed("limit-calls") {
		limit := d.limit()
		p.Limit = &limit
	}
	if p.CredentialID, err = d.newCredential(cmd, c); err != nil {
		return p, err
	}
	p.ModelConfig, err = d.changedConfig(cmd, now.ModelProvider, now.ModelConfig)
	return p, err
}

// given puts a value that is not empty into a patch.
func given(field **string, value *string) {
	if *value != "" {
		*field = value
	}
}

// changed puts the value of a flag into a patch, if the flag was given.
func changed[T any](cmd *cobra.Command, flag string, field **T, value *T) {
	if cmd.Flags().Changed(flag) {
		*field = value
	}
}
