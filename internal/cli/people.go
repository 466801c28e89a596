package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
)

func usersCommand() *cobra.Command {
	r := &remote{}
	return withRemote(group("users", "List, create and change users",
		usersListCommand(r), usersCreateCommand(r), usersUpdateCommand(r), usersDeleteCommand(r)), r)
}

func usersListCommand(r *remote) *cobra.Command {
	var search string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List users",
		Args:  Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			all, err := c.AllUsers(cmd.Context(), search)
			if err != nil {
				return err
			}
			return r.showUsers(cmd, all, all...)
		},
	}
	cmd.Flags().StringVar(&search, "search", "", "part of a name or address")
	return cmd
}

func (r *remote) showUsers(cmd *cobra.Command, value any, users ...api.User) error {
	return r.show(cmd, value, "ID NAME ROLES STATE EMAIL", func(add func(...any)) {
		for _, u := range users {
			state := "active"
			if u.Disabled {
				state = "disabled"
			}
			add(u.ID, u.UserName, strings.Join(u.Roles, ","), state, u.Email)
		}
	})
}

func usersCreateCommand(r *remote) *cobra.Command {
	var in api.NewUser
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a user",
		Args:  Exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			in.UserName = args[0]
			u, err := c.CreateUser(cmd.Context(), in)
			if err != nil {
				return err
			}
			return r.showUsers(cmd, u, u)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&in.FullName, "full-name", "", "full name")
	fl.StringVar(&in.Email, "email", "", "mail address")
	fl.StringArrayVar(&in.Roles, "role", nil, "role, e.g. administrator or auditor (repeatable)")
	return cmd
}

func usersUpdateCommand(r *remote) *cobra.Command {
	var fullName, email string
	var roles []string
	var disabled bool
	cmd := &cobra.Command{
		Use:   "update USER",
		Short: "Change a user; what is not given stays",
		Args:  Exactly("USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			id, err := one(userIDs(cmd.Context(), c, args))
			if err != nil {
				return err
			}
			var patch api.UserPatch
			changed := cmd.Flags().Changed
			if changed("full-name") {
				patch.FullName = &fullName
			}
			if changed("email") {
				patch.Email = &email
			}
			if changed("disabled") {
				patch.Disabled = &disabled
			}
			if changed("role") {
				list := notEmpty(roles)
				patch.Roles = &list
			}
			u, err := c.UpdateUser(cmd.Context(), id, patch)
			if err != nil {
				return err
			}
			return r.showUsers(cmd, u, u)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&fullName, "full-name", "", "full name")
	fl.StringVar(&email, "email", "", "mail address")
	fl.StringArrayVar(&roles, "role", nil, "roles, replacing the present ones; --role= takes all away (repeatable)")
	fl.BoolVar(&disabled, "disabled", false, "whether the user's tokens stop working")
	return cmd
}

func usersDeleteCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "delete USER",
		Short: "Delete a user and revoke the user's tokens",
		Args:  Exactly("USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			id, err := one(userIDs(cmd.Context(), c, args))
			if err != nil {
				return err
			}
			if err := c.DeleteUser(cmd.Context(), id); err != nil {
				return err
			}
			return r.say(cmd, map[string]string{"deleted": id}, "User %s is deleted.", args[0])
		},
	}
}

func organizationsCommand() *cobra.Command {
	r := &remote{}
	cmd := group("orgs", "List, create and change organizations",
		orgsListCommand(r), orgsCreateCommand(r), orgsDeleteCommand(r), orgsMemberCommand(r, true), orgsMemberCommand(r, false))
	cmd.Aliases = []string{"organizations"}
	return withRemote(cmd, r)
}

func orgsListCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List organizations",
		Args:  Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			all, err := c.AllOrganizations(cmd.Context(), "")
			if err != nil {
				return err
			}
			return r.showOrganizations(cmd, all, all...)
		},
	}
}

func (r *remote) showOrganizations(cmd *cobra.Command, value any, list ...api.Organization) error {
	return r.show(cmd, value, "ID NAME MEMBERS", func(add func(...any)) {
		for _, o := range list {
			add(o.ID, o.Name, len(o.Members))
		}
	})
}

func orgsCreateCommand(r *remote) *cobra.Command {
	var members []string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create an organization",
		Args:  Exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			list, err := userIDs(cmd.Context(), c, members)
			if err != nil {
				return err
			}
			o, err := c.CreateOrganization(cmd.Context(), api.NewOrganization{Name: args[0], Members: list})
			if err != nil {
				return err
			}
			return r.showOrganizations(cmd, o, o)
		},
	}
	cmd.Flags().StringArrayVar(&members, "member", nil, "name or id of a user (repeatable)")
	return cmd
}

func orgsDeleteCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "delete ORG",
		Short: "Delete an organization; its members lose what it permitted them",
		Args:  Exactly("ORG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			id, err := one(organizationIDs(cmd.Context(), c, args))
			if err != nil {
				return err
			}
			if err := c.DeleteOrganization(cmd.Context(), id); err != nil {
				return err
			}
			return r.say(cmd, map[string]string{"deleted": id}, "Organization %s is deleted.", args[0])
		},
	}
}

func orgsMemberCommand(r *remote, add bool) *cobra.Command {
	use, short := "remove ORG USER", "Take a user out of an organization"
	if add {
		use, short = "add ORG USER", "Put a user into an organization"
	}
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  Exactly("ORG", "USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			org, err := one(organizationIDs(cmd.Context(), c, args[:1]))
			if err != nil {
				return err
			}
			user, err := one(userIDs(cmd.Context(), c, args[1:]))
			if err != nil {
				return err
			}
			change := c.RemoveMember
			if add {
				change = c.AddMember
			}
			o, err := change(cmd.Context(), org, user)
			if err != nil {
				return err
			}
			return r.showOrganizations(cmd, o, o)
		},
	}
}
