package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func endpointsCommand() *cobra.Command {
	r := &remote{}
	return withRemote(group("endpoints", "List, create and change endpoints",
		endpointsListCommand(r), endpointsGetCommand(r), endpointsCreateCommand(r), endpointsUpdateCommand(r),
		endpointsDeleteCommand(r), endpointsPermissionsCommand(r), targetsCommand(r)), r)
}

func endpointsListCommand(r *remote) *cobra.Command {
	var search string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the endpoints that you may see",
		Args:  Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			all, err := c.AllEndpoints(cmd.Context(), search)
			if err != nil {
				return err
			}
			return r.show(cmd, all, "NAME TYPE PROVIDER MODEL CREATED", func(add func(...any)) {
				for _, e := range all {
					add(e.EndpointName, e.EndpointType, e.ModelProvider, e.ModelName, e.CreationDate.Format("2006-01-02 15:04"))
				}
			})
		},
	}
	cmd.Flags().StringVar(&search, "search", "", "part of a name, type, provider or model")
	return cmd
}

func endpointsGetCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "get NAME",
		Short: "Show one endpoint",
		Args:  Exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			e, err := c.GetEndpoint(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			list, err := c.Targets(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return r.showEndpoint(cmd, e, list.Targets...)
		},
	}
}

// showEndpoint shows an endpoint, and which targets it has where it has several.
func (r *remote) showEndpoint(cmd *cobra.Command, e api.Endpoint, targets ...api.Target) error {
	return r.show(cmd, e, "", func(add func(...any)) {
		add("name", e.EndpointName)
		add("id", e.EndpointID)
		add("type", e.EndpointType)
		add("provider", e.ModelProvider)
		add("model", e.ModelName)
		addConfig(add, e.ModelConfig, e.ModelConfigSecrets)
		if len(targets) > 1 {
			names := make([]string, len(targets))
			for i, t := range targets {
				names[i] = t.Name
			}
			add("targets", strings.Join(names, ", ")+" (above is the first; see sluice endpoints targets list "+e.EndpointName+")")
		}
		if l := e.Limit; l != nil {
			add("limit", l.Calls, "per "+l.RenewalPeriod)
		}
		add("created", e.CreationDate.Format("2006-01-02 15:04:05"))
		add("updated", e.UpdateDate.Format("2006-01-02 15:04:05"))
	})
}

// details are the flags that describe an endpoint.
type details struct {
	kind, provider, model, period string
	calls                         int64
	set, secrets                  []string
}

func (d *details) flags(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&d.kind, "type", "", "llm/v1/chat, llm/v1/completions or llm/v1/embeddings")
	d.modelFlags(cmd)
	fl.Int64Var(&d.calls, "limit-calls", 0, "calls in each period; 0: no limit")
	fl.StringVar(&d.period, "limit-period", "minute", "period of the limit, e.g. \"minute\" or \"5 minutes\"")
}

// modelFlags are those that describe a target.
func (d *details) modelFlags(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&d.provider, "provider", "", "provider of the model, e.g. openai")
	fl.StringVar(&d.model, "model", "", "the provider's name of the model")
	fl.StringArrayVar(&d.set, "set", nil, "parameter of the provider, key=value (repeatable)")
	fl.StringArrayVar(&d.secrets, "secret", nil, "key of the provider: key=file:PATH, key=env:NAME or key=- (repeatable)")
}

func (d *details) config(cmd *cobra.Command) (map[string]string, error) {
	config, err := parameters("set", d.set)
	if err != nil {
		return nil, err
	}
	keys, err := secrets(cmd, d.secrets)
	for k, v := range keys {
		config[k] = v
	}
	return config, err
}

func (d *details) limit() *api.Limit {
	if d.calls == 0 {
		return nil
	}
	return &api.Limit{Calls: d.calls, RenewalPeriod: d.period}
}

// grants are the flags that say who may call.
type grants struct {
	everyone                              bool
	users, organizations, roles, projects []string
}

func (g *grants) flags(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.BoolVar(&g.everyone, "everyone", false, "everyone with a token may call")
	fl.StringArrayVar(&g.users, "user", nil, "name or id of a user who may call (repeatable)")
	fl.StringArrayVar(&g.organizations, "org", nil, "name or id of an organization whose members may call (repeatable)")
	fl.StringArrayVar(&g.roles, "role", nil, "role whose holders may call (repeatable)")
	fl.StringArrayVar(&g.projects, "project", nil, "project whose tokens may call (repeatable)")
}

// patch is what the flags that were given change.
func (g *grants) patch(ctx context.Context, cmd *cobra.Command, c *client.Client) (p api.PermissionsPatch, err error) {
	changed := cmd.Flags().Changed
	if changed("everyone") {
		p.IsEveryoneAllowed = &g.everyone
	}
	if changed("user") {
		list, err := userIDs(ctx, c, g.users)
		if err != nil {
			return p, err
		}
		p.UserIDs = &list
	}
	if changed("org") {
		list, err := organizationIDs(ctx, c, g.organizations)
		if err != nil {
			return p, err
		}
		p.OrganizationIDs = &list
	}
	for flag, field := range map[string]struct {
		values []string
		into   **[]string
	}{"role": {g.roles, &p.Roles}, "project": {g.projects, &p.Projects}} {
		if changed(flag) {
			list := notEmpty(field.values)
			*field.into = &list
		}
	}
	return p, nil
}

func (g *grants) changed(cmd *cobra.Command) bool {
	for _, flag := range []string{"everyone", "user", "org", "role", "project"} {
		if cmd.Flags().Changed(flag) {
			return true
		}
	}
	return false
}

func notEmpty(list []string) []string {
	out := []string{}
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
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
			for flag, value := range map[string]string{"--type": d.kind, "--provider": d.provider, "--model": d.model} {
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
			permissions, err := g.patch(cmd.Context(), cmd, c)
			if err != nil {
				return err
			}
			e, err := c.CreateEndpoint(cmd.Context(), api.NewEndpoint{
				EndpointName: args[0], EndpointType: d.kind, ModelProvider: d.provider, ModelName: d.model,
				ModelConfig: config, EndpointPermissions: &permissions, Limit: d.limit(),
			})
			if err != nil {
				return err
			}
			return r.showEndpoint(cmd, e)
		},
	}
	d.flags(cmd)
	g.flags(cmd)
	return cmd
}

func endpointsUpdateCommand(r *remote) *cobra.Command {
	var d details
	var name string
	cmd := &cobra.Command{
		Use:   "update NAME",
		Short: "Change an endpoint",
		Long: "Change an endpoint: what is not given stays. --set and --secret change the parameters that they name;\n" +
			"an empty --set takes one away. A new provider starts without the old one's parameters and keys.",
		Args: Exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			patch, err := d.patch(cmd, c, args[0])
			if err != nil {
				return err
			}
			if name != "" {
				patch.EndpointName = &name
			}
			e, err := c.UpdateEndpoint(cmd.Context(), args[0], patch)
			if err != nil {
				return err
			}
			return r.showEndpoint(cmd, e)
		},
	}
	d.flags(cmd)
	cmd.Flags().StringVar(&name, "name", "", "new name")
	return cmd
}

func (d *details) patch(cmd *cobra.Command, c *client.Client, name string) (p api.EndpointPatch, err error) {
	for value, into := range map[*string]**string{&d.kind: &p.EndpointType, &d.provider: &p.ModelProvider, &d.model: &p.ModelName} {
		if *value != "" {
			*into = value
		}
	}
	if cmd.Flags().Changed("limit-calls") {
		limit := d.limit()
		p.Limit = &limit
	}
	p.ModelConfig, err = d.changed(cmd, func() (string, map[string]string, error) {
		now, err := c.GetEndpoint(cmd.Context(), name)
		return now.ModelProvider, now.ModelConfig, err
	})
	return p, err
}

// changed are the parameters with those that --set and --secret name in place;
// nil where none is named. REST replaces the parameters, so the present ones are
// read.
func (d *details) changed(cmd *cobra.Command, present func() (provider string, config map[string]string, err error)) (*map[string]string, error) {
	if len(d.set) == 0 && len(d.secrets) == 0 {
		return nil, nil
	}
	config, err := d.config(cmd)
	if err != nil {
		return nil, err
	}
	provider, now, err := present()
	if err != nil {
		return nil, err
	}
	if d.provider == "" || strings.EqualFold(d.provider, provider) {
		for k, v := range now {
			if _, given := config[k]; !given {
				config[k] = v
			}
		}
	}
	return &config, nil
}

func endpointsDeleteCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete an endpoint",
		Args:  Exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			if err := c.DeleteEndpoint(cmd.Context(), args[0]); err != nil {
				return err
			}
			return r.say(cmd, map[string]string{"deleted": args[0]}, "Endpoint %s is deleted.", args[0])
		},
	}
}

func endpointsPermissionsCommand(r *remote) *cobra.Command {
	var g grants
	cmd := &cobra.Command{
		Use:   "permissions NAME",
		Short: "Show or set who may call an endpoint",
		Long:  "Show who may call an endpoint, or set it: each list that is given replaces the present one; --user= empties it.",
		Args:  Exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			var p api.Permissions
			if g.changed(cmd) {
				patch, err := g.patch(cmd.Context(), cmd, c)
				if err != nil {
					return err
				}
				p, err = c.SetPermissions(cmd.Context(), args[0], patch)
				if err != nil {
					return err
				}
			} else if p, err = c.Permissions(cmd.Context(), args[0]); err != nil {
				return err
			}
			return r.show(cmd, p, "", func(add func(...any)) {
				add("everyone", p.IsEveryoneAllowed)
				add("users", strings.Join(p.UserIDs, " "))
				add("organizations", strings.Join(p.OrganizationIDs, " "))
				add("roles", strings.Join(p.Roles, " "))
				add("projects", strings.Join(p.Projects, " "))
			})
		},
	}
	g.flags(cmd)
	return cmd
}
