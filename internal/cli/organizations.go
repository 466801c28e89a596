package cli

import (
	"context"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func organizationThing() thing[api.Organization] {
	return thing[api.Organization]{
		arg: "ORG", name: "organization", gone: "its members lose what it permitted them",
		ids:    organizationIDs,
		get:    func(c *client.Client) func(context.Context, string) (api.Organization, error) { return c.Organization },
		remove: func(c *client.Client) func(context.Context, string) error { return c.DeleteOrganization },
		show: func(r *remote, cmd *cobra.Command, _ *client.Client, o api.Organization) error {
			return r.showOrganization(cmd, o)
		},
		complete: func(r *remote) completer { return r.completeOrganizations() },
	}
}

func organizationsCommand() *cobra.Command {
	r := &remote{}
	t := organizationThing()
	cmd := group("orgs", "List, create and change organizations and their members",
		orgsListCommand(r), showCommand(r, t), orgsCreateCommand(r), orgsUpdateCommand(r), deleteCommand(r, t),
		group("members", "List, add and remove the members of an organization, and set their roles",
			membersListCommand(r), memberChangeCommand(r, "add ORG USER", "Put a user into an organization, as a member or with --role admin", true),
			memberChangeCommand(r, "role ORG USER", "Set a member's role: member, or admin, who may change the members", true),
			memberChangeCommand(r, "remove ORG USER", "Take a user out of an organization", false)))
	cmd.Aliases = []string{"organizations"}
	return withRemote(cmd, r)
}

func orgsListCommand(r *remote) *cobra.Command {
	return listCommand(r, listing[api.Organization]{
		short:  "List organizations",
		search: "a name",
		sorts:  []string{"name", "created"},
		header: "ID NAME MEMBERS SOURCE CREATED",
		fetch: func(cmd *cobra.Command, c *client.Client, _ []string, q url.Values) ([]api.Organization, int, error) {
			list, err := c.ListOrganizations(cmd.Context(), q)
			return list.Organizations, list.Metadata.TotalCount, err
		},
		cells: func(o api.Organization) []any { return []any{o.ID, o.Name, members(o), o.Source, minute(o.Created)} },
	})
}

func members(o api.Organization) int { return max(o.MemberCount, len(o.Members)) }

func (r *remote) showOrganization(cmd *cobra.Command, o api.Organization) error {
	return r.show(cmd, o, "", func(add func(...any)) {
		add("name", o.Name)
		add("id", o.ID)
		add("source", o.Source)
		add("created", second(o.Created))
		add("members", members(o))
		for _, m := range o.MemberDetails {
			add("  "+m.UserName, m.Role)
		}
	})
}

func orgsCreateCommand(r *remote) *cobra.Command {
	var users []string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create an organization",
		Args:  Exactly("NAME"),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			list, err := userIDs(cmd.Context(), c, users)
			if err != nil {
				return err
			}
			o, err := c.CreateOrganization(cmd.Context(), api.NewOrganization{Name: args[0], Members: list})
			if err != nil {
				return err
			}
			return r.showOrganization(cmd, o)
		}),
	}
	cmd.Flags().StringArrayVar(&users, "member", nil, "name or id of a user (repeatable)")
	complete(cmd, "member", r.completeUsers(""))
	return cmd
}

func orgsUpdateCommand(r *remote) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:               "update ORG",
		Short:             "Rename an organization",
		Args:              Exactly("ORG"),
		ValidArgsFunction: firstArg(r.completeOrganizations()),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(cmd, "name"); err != nil {
				return err
			}
			return r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
				id, err := one(organizationIDs(cmd.Context(), c, args))
				if err != nil {
					return err
				}
				ctx := unlessChanged(cmd.Context(), c.Organization, id)
				o, err := c.UpdateOrganization(ctx, id, api.OrganizationPatch{Name: &name})
				if err != nil {
					return err
				}
				return r.showOrganization(cmd, o)
			})(cmd, args)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "new name")
	return cmd
}

func membersListCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:               "list ORG",
		Short:             "List the members of an organization",
		Args:              Exactly("ORG"),
		ValidArgsFunction: firstArg(r.completeOrganizations()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			id, err := one(organizationIDs(cmd.Context(), c, args))
			if err != nil {
				return err
			}
			o, err := c.Organization(cmd.Context(), id)
			if err != nil {
				return err
			}
			list := o.MemberDetails
			if list == nil {
				list = []api.Member{}
			}
			return r.show(cmd, list, "ID NAME ROLE SOURCE", func(add func(...any)) {
				for _, m := range list {
					add(m.UserID, m.UserName, m.Role, m.Source)
				}
			})
		}),
	}
}

// memberChangeCommand puts a user in, with a role, or takes him out.
func memberChangeCommand(r *remote, use, short string, in bool) *cobra.Command {
	role := ""
	setRole := strings.HasPrefix(use, "role ")
	cmd := &cobra.Command{
		Use:               use,
		Short:             short,
		Args:              Exactly("ORG", "USER"),
		ValidArgsFunction: argsInTurn(r.completeOrganizations(), r.completeUsers("")),
		RunE: func(cmd *cobra.Command, args []string) error {
			if setRole {
				if err := required(cmd, "role"); err != nil {
					return err
				}
			}
			return r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
				org, err := one(organizationIDs(cmd.Context(), c, args[:1]))
				if err != nil {
					return err
				}
				user, err := one(userIDs(cmd.Context(), c, args[1:]))
				if err != nil {
					return err
				}
				var o api.Organization
				if in {
					o, err = c.SetMember(cmd.Context(), org, user, role)
				} else {
					o, err = c.RemoveMember(cmd.Context(), org, user)
				}
				if err != nil {
					return err
				}
				return r.showOrganization(cmd, o)
			})(cmd, args)
		},
	}
	if in {
		cmd.Flags().StringVar(&role, "role", "", "member or admin")
		complete(cmd, "role", fixed(api.MemberRoleMember, api.MemberRoleAdmin))
	}
	return cmd
}
