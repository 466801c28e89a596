package cli

import (
	"context"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

// thing is what people are named by: users, service accounts, organizations.
// Their commands for showing and deleting are the same but for these.
type thing[T any] struct {
	arg      string // of the usage, e.g. "USER"
	name     string // in sentences, e.g. "user"
	gone     string // what a deletion takes along, in a sentence
	ids      func(ctx context.Context, c *client.Client, names []string) ([]string, error)
	get      func(c *client.Client) func(ctx context.Context, id string) (T, error)
	remove   func(c *client.Client) func(ctx context.Context, id string) error
	show     func(r *remote, cmd *cobra.Command, c *client.Client, one T) error
	complete func(r *remote) completer
}

func showCommand[T any](r *remote, t thing[T]) *cobra.Command {
	return &cobra.Command{
		Use:               "show " + t.arg,
		Short:             "Show one " + t.name,
		Args:              Exactly(t.arg),
		ValidArgsFunction: firstArg(t.complete(r)),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			id, err := one(t.ids(cmd.Context(), c, args))
			if err != nil {
				return err
			}
			found, err := t.get(c)(cmd.Context(), id)
			if err != nil {
				return err
			}
			return t.show(r, cmd, c, found)
		}),
	}
}

func deleteCommand[T any](r *remote, t thing[T]) *cobra.Command {
	return r.yesFlag(&cobra.Command{
		Use:               "delete " + t.arg,
		Short:             "Delete a " + t.name + "; " + t.gone,
		Args:              Exactly(t.arg),
		ValidArgsFunction: firstArg(t.complete(r)),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			id, err := one(t.ids(cmd.Context(), c, args))
			if err != nil {
				return err
			}
			ctx := unlessChanged(cmd.Context(), t.get(c), id)
			if err := r.confirm(cmd, "Delete the %s %s? %s.", t.name, args[0], sentence(t.gone)); err != nil {
				return err
			}
			if err := t.remove(c)(ctx, id); err != nil {
				return err
			}
			return r.say(cmd, map[string]string{"deleted": id}, "%s %s is deleted.", sentence(t.name), args[0])
		}),
	})
}

// sentence begins with a capital letter.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// userThing are people, or service accounts.
func userThing(arg, name, kind string) thing[api.User] {
	return thing[api.User]{
		arg: arg, name: name, gone: "the tokens are revoked, and nothing is permitted any more",
		ids:      userIDs,
		get:      func(c *client.Client) func(context.Context, string) (api.User, error) { return c.GetUser },
		remove:   func(c *client.Client) func(context.Context, string) error { return c.DeleteUser },
		show:     func(r *remote, cmd *cobra.Command, c *client.Client, u api.User) error { return r.showUser(cmd, c, u) },
		complete: func(r *remote) completer { return r.completeUsers(kind) },
	}
}

func usersCommand() *cobra.Command {
	r := &remote{}
	t := userThing("USER", "user", "")
	return withRemote(group("users", "List, create and change users",
		usersListCommand(r, "", "List users"), showCommand(r, t), usersCreateCommand(r, api.KindPerson),
		usersUpdateCommand(r, t), deleteCommand(r, t)), r)
}

// usersListCommand lists users of a kind; "" means all, with a flag to choose.
func usersListCommand(r *remote, kind, short string) *cobra.Command {
	var organization, role string
	fixedKind := kind != ""
	cmd := listCommand(r, listing[api.User]{
		short:  short,
		search: "a name or address",
		sorts:  []string{"userName", "fullName", "email", "created"},
		header: "ID NAME KIND ROLES STATE EMAIL SEEN",
		fetch: func(cmd *cobra.Command, c *client.Client, _ []string, q url.Values) ([]api.User, int, error) {
			if organization != "" {
				id, err := one(organizationIDs(cmd.Context(), c, []string{organization}))
				if err != nil {
					return nil, 0, err
				}
				q.Set("organizationId", id)
			}
			for key, value := range map[string]string{"kind": kind, "role": role} {
				if value != "" {
					q.Set(key, value)
				}
			}
			list, err := c.ListUsers(cmd.Context(), q)
			return list.Users, list.Metadata.TotalCount, err
		},
		cells: userCells,
	})
	cmd.Flags().StringVar(&organization, "org", "", "only members of this organization, by name or id")
	cmd.Flags().StringVar(&role, "role", "", "only those with this role")
	complete(cmd, "org", r.completeOrganizations())
	complete(cmd, "role", r.completeRoles())
	if !fixedKind {
		cmd.Flags().StringVar(&kind, "kind", "", "person or service-account")
		complete(cmd, "kind", fixed(api.KindPerson, api.KindServiceAccount))
	}
	return cmd
}

func userCells(u api.User) []any {
	state := "active"
	if u.Disabled {
		state = "disabled"
	}
	return []any{u.ID, u.UserName, u.Kind, strings.Join(u.Roles, ","), state, u.Email, maybe(u.LastSeen, "never")}
}

func (r *remote) showUser(cmd *cobra.Command, c *client.Client, u api.User) error {
	organizations := named(u.OrganizationIDs, func(id string) (string, error) {
		o, err := c.Organization(cmd.Context(), id)
		return o.Name, err
	})
	return r.show(cmd, u, "", func(add func(...any)) {
		add("name", u.UserName)
		add("id", u.ID)
		add("kind", u.Kind)
		add("full name", u.FullName)
		add("email", u.Email)
		add("roles", strings.Join(u.Roles, ", "))
		add("organizations", strings.Join(organizations, ", "))
		add("disabled", u.Disabled)
		add("source", u.Source)
		add("created", second(u.Created))
		add("last seen", maybe(u.LastSeen, "never"))
	})
}

func usersCreateCommand(r *remote, kind string) *cobra.Command {
	in := api.NewUser{Kind: kind}
	short := "Create a user"
	if kind == api.KindServiceAccount {
		short = "Create a service account: a user that is a machine, and only has tokens"
	}
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: short,
		Args:  Exactly("NAME"),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			in.UserName = args[0]
			u, err := c.CreateUser(cmd.Context(), in)
			if err != nil {
				return err
			}
			return r.showUser(cmd, c, u)
		}),
	}
	fl := cmd.Flags()
	fl.StringVar(&in.FullName, "full-name", "", "full name")
	fl.StringVar(&in.Email, "email", "", "mail address")
	fl.StringArrayVar(&in.Roles, "role", nil, "role, e.g. administrator or auditor (repeatable)")
	complete(cmd, "role", r.completeRoles())
	return cmd
}

func usersUpdateCommand(r *remote, t thing[api.User]) *cobra.Command {
	var name, fullName, email string
	var roles []string
	var disabled bool
	cmd := &cobra.Command{
		Use:               "update " + t.arg,
		Short:             "Change a " + t.name + "; what is not given stays",
		Args:              Exactly(t.arg),
		ValidArgsFunction: firstArg(t.complete(r)),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			id, err := one(userIDs(cmd.Context(), c, args))
			if err != nil {
				return err
			}
			var patch api.UserPatch
			changed(cmd, "name", &patch.UserName, &name)
			changed(cmd, "full-name", &patch.FullName, &fullName)
			changed(cmd, "email", &patch.Email, &email)
			changed(cmd, "disabled", &patch.Disabled, &disabled)
			list := notEmpty(roles)
			changed(cmd, "role", &patch.Roles, &list)
			ctx := unlessChanged(cmd.Context(), c.GetUser, id)
			u, err := c.UpdateUser(ctx, id, patch)
			if err != nil {
				return err
			}
			return r.showUser(cmd, c, u)
		}),
	}
	fl := cmd.Flags()
	fl.StringVar(&name, "name", "", "new name")
	fl.StringVar(&fullName, "full-name", "", "full name")
	fl.StringVar(&email, "email", "", "mail address")
	fl.StringArrayVar(&roles, "role", nil, "roles, replacing the present ones; --role= takes all away (repeatable)")
	fl.BoolVar(&disabled, "disabled", false, "whether the tokens and sessions stop working")
	complete(cmd, "role", r.completeRoles())
	return cmd
}
