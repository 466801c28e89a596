package cli

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func endpointsCommand() *cobra.Command {
	r := &remote{}
	return withRemote(group("endpoints", "List, create, change, test and share endpoints",
		endpointsListCommand(r), endpointsShowCommand(r), endpointsCreateCommand(r), endpointsUpdateCommand(r),
		endpointsSwitchCommand(r, true), endpointsSwitchCommand(r, false), endpointsTestCommand(r),
		endpointsDeleteCommand(r), permissionsCommand(r), targetsCommand(r), codeCommand(r)), r)
}

func endpointsListCommand(r *remote) *cobra.Command {
	return listCommand(r, listing[api.Endpoint]{
		short:  "List the endpoints that you may see",
		search: "a name, type, provider or model",
		sorts:  []string{"endpointName", "creationDate", "endpointType", "modelName", "modelProvider"},
		header: "NAME TYPE PROVIDER MODEL TARGETS STATE CREATED",
		fetch: func(cmd *cobra.Command, c *client.Client, _ []string, q url.Values) ([]api.Endpoint, int, error) {
			list, err := c.ListEndpoints(cmd.Context(), q)
			return list.Endpoints, list.Metadata.TotalCount, err
		},
		cells: func(e api.Endpoint) []any {
			return []any{e.EndpointName, e.EndpointType, e.ModelProvider, e.ModelName, max(e.TargetCount, 1), state(e.Disabled, e.Problem), minute(e.CreationDate)}
		},
	})
}

// state is whether something is called, in a word and a sentence.
func state(disabled bool, problem string) string {
	switch {
	case disabled:
		return "off"
	case problem != "":
		return "broken: " + problem
	}
	return "on"
}

func endpointsShowCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:               "show NAME",
		Aliases:           []string{"get"},
		Short:             "Show one endpoint",
		Args:              Exactly("NAME"),
		ValidArgsFunction: firstArg(r.completeEndpoints()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			e, err := c.GetEndpoint(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			list, err := c.Targets(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return r.showEndpoint(cmd, c, e, list.Targets...)
		}),
	}
}

// showEndpoint shows an endpoint, and which targets it has where it has several.
func (r *remote) showEndpoint(cmd *cobra.Command, c *client.Client, e api.Endpoint, targets ...api.Target) error {
	return r.show(cmd, e, "", func(add func(...any)) {
		add("name", e.EndpointName)
		add("id", e.EndpointID)
		if e.Description != "" {
			add("description", e.Description)
		}
		add("state", state(e.Disabled, e.Problem))
		if e.AuditBodies != "full" {
			add("audit bodies", e.AuditBodies)
		}
		add("type", e.EndpointType)
		add("provider", e.ModelProvider)
		add("model", e.ModelName)
		addConfig(add, e.ModelConfig, e.ModelConfigSecrets, credentialName(cmd.Context(), c, e.CredentialID))
		if len(targets) > 1 {
			names := make([]string, len(targets))
			for i, t := range targets {
				names[i] = t.Name
			}
			add("targets", strings.Join(names, ", ")+" (above is the first; see sluice endpoints targets list "+e.EndpointName+")")
		}
		if l := e.Limit; l != nil {
			add("limit", fmt.Sprintf("%d per %s", l.Calls, l.RenewalPeriod))
		}
		add("created", second(e.CreationDate))
		add("updated", second(e.UpdateDate))
	})
}

// endpointsSwitchCommand disables and enables.
func endpointsSwitchCommand(r *remote, off bool) *cobra.Command {
	use, short, done := "enable NAME", "Let an endpoint be called again", "Endpoint %s is enabled."
	if off {
		use, short, done = "disable NAME", "Refuse every call of an endpoint, and keep it", "Endpoint %s is disabled."
	}
	return &cobra.Command{
		Use:               use,
		Short:             short,
		Args:              Exactly("NAME"),
		ValidArgsFunction: firstArg(r.completeEndpoints()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			ctx := unlessChanged(cmd.Context(), c.GetEndpoint, args[0])
			e, err := c.UpdateEndpoint(ctx, args[0], api.EndpointPatch{Disabled: &off})
			if err != nil {
				return err
			}
			return r.say(cmd, e, done, args[0])
		}),
	}
}

func endpointsDeleteCommand(r *remote) *cobra.Command {
	return r.yesFlag(&cobra.Command{
		Use:               "delete NAME",
		Short:             "Delete an endpoint",
		Args:              Exactly("NAME"),
		ValidArgsFunction: firstArg(r.completeEndpoints()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			ctx := unlessChanged(cmd.Context(), c.GetEndpoint, args[0])
			if err := r.confirm(cmd, "Delete the endpoint %s? Whoever calls it is refused from then on.", args[0]); err != nil {
				return err
			}
			if err := c.DeleteEndpoint(ctx, args[0]); err != nil {
				return err
			}
			return r.say(cmd, map[string]string{"deleted": args[0]}, "Endpoint %s is deleted.", args[0])
		}),
	})
}
