package cli

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/catalog"
	"sluice/internal/client"
	"sluice/internal/mlflowconfig"
)

func exportCommand() *cobra.Command {
	r := &remote{}
	return withRemote(&cobra.Command{
		Use:   "export [NAME...]",
		Short: "Write endpoints as the file that sluice apply reads, without keys",
		Long: "Write endpoints, all that you may change or those that are named, as the YAML that sluice apply reads. Keys never\n" +
			"leave the gateway: in their place are environment variables, which are listed at the top of the file as are the\n" +
			"stored credentials that it names.",
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: r.completeEndpoints(),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, names []string) error {
			x := &export{c: c, cmd: cmd, names: map[string]string{}}
			list, err := x.collect(cmd.Context(), names)
			if err != nil {
				return err
			}
			return x.write(list)
		}),
	}, r)
}

// export is one run of sluice export.
type export struct {
	c         *client.Client
	cmd       *cobra.Command
	names     map[string]string // id of a user or organization → name
	variables []string
	stored    []string // names of stored credentials
}

func (x *export) collect(ctx context.Context, names []string) ([]mlflowconfig.Endpoint, error) {
	var found []api.Endpoint
	if len(names) == 0 {
		all, err := x.c.AllEndpoints(ctx, "")
		if err != nil {
			return nil, err
		}
		found = all
	}
	for _, name := range names {
		e, err := x.c.GetEndpoint(ctx, name)
		if err != nil {
			return nil, err
		}
		found = append(found, e)
	}
	var out []mlflowconfig.Endpoint
	for _, e := range found {
		if !e.MayChange {
			fmt.Fprintf(x.cmd.ErrOrStderr(), "%s is left out: you may not change it.\n", printable(e.EndpointName))
			continue
		}
		one, err := x.endpoint(ctx, e)
		if err != nil {
			return nil, fmt.Errorf("reading the endpoint %s: %w", e.EndpointName, err)
		}
		out = append(out, one)
	}
	return out, nil
}

func (x *export) endpoint(ctx context.Context, e api.Endpoint) (out mlflowconfig.Endpoint, err error) {
	out = mlflowconfig.Endpoint{Name: e.EndpointName, Type: catalog.EndpointType(e.EndpointType)}
	if e.Description != "" {
		out.Description = &e.Description
	}
	if e.Disabled {
		out.Disabled = &e.Disabled
	}
	if e.AuditBodies != "full" {
		out.AuditBodies = &e.AuditBodies
	}
	if l := e.Limit; l != nil {
		out.Limit = &catalog.Limit{Calls: l.Calls, Period: l.RenewalPeriod, Key: l.Key}
	}
	targets, err := x.c.Targets(ctx, e.EndpointName)
	if err != nil {
		return out, err
	}
	if out.HeadTimeout, err = time.ParseDuration(targets.HeadTimeout); err != nil {
		return out, err
	}
	for _, t := range targets.Targets {
		out.Targets = append(out.Targets, x.target(ctx, e.EndpointName, len(targets.Targets) > 1, t))
	}
	p, err := x.c.Permissions(ctx, e.EndpointName)
	if err != nil {
		return out, err
	}
	out.Permissions = &catalog.Permissions{
		Everyone: p.IsEveryoneAllowed, Users: x.named(ctx, e.EndpointName, p.UserIDs), Organizations: x.named(ctx, e.EndpointName, p.OrganizationIDs),
		Roles: p.Roles, Projects: p.Projects, Owners: x.named(ctx, e.EndpointName, p.OwnerIDs),
	}
	return out, nil
}

func (x *export) target(ctx context.Context, endpoint string, several bool, t api.Target) mlflowconfig.Target {
	out := mlflowconfig.Target{Name: t.Name, Weight: int(t.Weight), Order: int(t.Order), Disabled: t.Disabled,
		Provider: t.ModelProvider, Model: t.ModelName, Config: t.ModelConfig}
	if out.Config == nil {
		out.Config = map[string]string{}
	}
	parts := []string{endpoint}
	if several {
		parts = append(parts, t.Name)
	}
	if name := credentialName(ctx, x.c, t.CredentialID); name != t.CredentialID {
		out.Credential = name
		if !slices.Contains(x.stored, name) {
			x.stored = append(x.stored, name)
		}
		return out
	}
	if t.CredentialID != "" {
		fmt.Fprintf(x.cmd.ErrOrStderr(), "You may not read the stored credential of the target %s of %s: the file has a key of its own there.\n",
			printable(t.Name), printable(endpoint))
	}
	for _, key := range t.ModelConfigSecrets {
		variable := variableOf(append(parts, key)...)
		x.variables = append(x.variables, variable)
		out.Config[key] = "$" + variable
	}
	return out
}

// variableOf makes the name of an environment variable.
func variableOf(parts ...string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, strings.Join(parts, "_"))
	if name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}

// named turns ids into names, which mean the same on another gateway.
func (x *export) named(ctx context.Context, endpoint string, ids []string) []string {
	return named(ids, func(id string) (string, error) {
		if name, known := x.names[id]; known {
			return name, nil
		}
		name, err := sharing{x.c, endpoint}.name(ctx, id)
		if err == nil {
			x.names[id] = name
		}
		return name, err
	})
}

func (x *export) write(list []mlflowconfig.Endpoint) error {
	data, err := mlflowconfig.Marshal(list)
	if err != nil {
		return err
	}
	if data, err = yaml.JSONToYAML(data); err != nil {
		return fmt.Errorf("writing YAML: %w", err)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Endpoints of %s, for sluice apply -f.\n", x.c.Server())
	if len(x.variables) > 0 {
		out.WriteString("# Keys are not in here; set these variables first:\n")
	}
	for _, v := range x.variables {
		fmt.Fprintf(&out, "#   %s\n", v)
	}
	if len(x.stored) > 0 {
		out.WriteString("# Stored credentials that must be there (sluice credentials create):\n")
	}
	for _, name := range x.stored {
		fmt.Fprintf(&out, "#   %s\n", printable(name))
	}
	out.Write(data)
	_, err = out.WriteTo(x.cmd.OutOrStdout())
	return err
}
