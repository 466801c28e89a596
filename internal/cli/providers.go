package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func providersCommand() *cobra.Command {
	r := &remote{}
	return withRemote(&cobra.Command{
		Use:               "providers [ID]",
		Short:             "List the providers, or the parameters of one",
		Args:              atMostOne("ID"),
		ValidArgsFunction: firstArg(r.completeProviders()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			list, err := c.Providers(cmd.Context())
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return r.showProviders(cmd, list.Providers)
			}
			for _, p := range list.Providers {
				if isProvider(p, args[0]) {
					return r.showProvider(cmd, p)
				}
			}
			return usagef("%q is no provider; sluice providers lists them", args[0])
		}),
	}, r)
}

// isProvider compares ids as MLflow does: case does not count, nor '-' against '_'.
func isProvider(p api.Provider, id string) bool {
	return slices.ContainsFunc(append([]string{p.ID}, p.Aliases...), func(known string) bool { return sameProvider(known, id) })
}

func sameProvider(a, b string) bool {
	plain := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }
	return plain(a) == plain(b)
}

func (r *remote) showProviders(cmd *cobra.Command, list []api.Provider) error {
	return r.show(cmd, list, "PROVIDER TYPES NATIVE TITLE", func(add func(...any)) {
		for _, p := range list {
			title := p.Title
			if p.Deprecated != "" {
				title += " (" + p.Deprecated + ")"
			}
			add(p.ID, shortTypes(p), p.Native, title)
		}
	})
}

func shortTypes(p api.Provider) string {
	return strings.ReplaceAll(strings.Join(p.Types, ","), "llm/v1/", "")
}

func (r *remote) showProvider(cmd *cobra.Command, p api.Provider) error {
	return r.show(cmd, p, "PARAMETER KIND DEFAULT DESCRIPTION", func(add func(...any)) {
		for _, f := range p.Fields {
			kind := "parameter"
			if f.Secret {
				kind = "secret"
			}
			if f.Required {
				kind += ", required"
			}
			if f.Usual {
				kind += ", usual"
			}
			about := f.Description
			if len(f.Enum) > 0 {
				about = strings.TrimSpace(about + " One of " + strings.Join(f.Enum, ", ") + ".")
			}
			add(f.Name, kind, f.Default, about)
		}
	})
}
