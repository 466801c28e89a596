package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func permissionsCommand(r *remote) *cobra.Command {
	return group("permissions", "Show and change who may call an endpoint, and who owns it",
		permissionsShowCommand(r),
		permissionsChangeCommand(r, "set NAME", "Set who may call an endpoint",
			"Each list that is given replaces the present one; --user= empties it.",
			func(_, given api.PermissionsPatch) api.PermissionsPatch { return given }),
		permissionsChangeCommand(r, "grant NAME", "Let more users, organizations, roles or projects call an endpoint, or own it",
			"Those that are given are added to those that may call already.", granted),
		permissionsChangeCommand(r, "revoke NAME", "Take the permission to call an endpoint, or the ownership, away",
			"Those that are given are taken out. --everyone leaves those that are named by themselves.", revoked))
}

// grants are the flags that say who may call.
type grants struct {
	everyone                                      bool
	users, organizations, roles, projects, owners []string
}

func (g *grants) flags(cmd *cobra.Command, r *remote) {
	fl := cmd.Flags()
	fl.BoolVar(&g.everyone, "everyone", false, "everyone with a token")
	fl.StringArrayVar(&g.users, "user", nil, "name or id of a user who may call (repeatable)")
	fl.StringArrayVar(&g.organizations, "org", nil, "name or id of an organization whose members may call (repeatable)")
	fl.StringArrayVar(&g.roles, "role", nil, "role whose holders may call (repeatable)")
	fl.StringArrayVar(&g.projects, "project", nil, "project whose tokens may call (repeatable)")
	fl.StringArrayVar(&g.owners, "owner", nil, "name or id of a user or organization that may change the endpoint (repeatable)")
	complete(cmd, "user", r.completeUsers(""))
	complete(cmd, "org", r.completeOrganizations())
	complete(cmd, "owner", r.completeUsers(""))
	complete(cmd, "role", r.completeRoles())
}

// patch is what the flags that were given say of the endpoint, "" for a new one,
// with ids for names.
func (g *grants) patch(cmd *cobra.Command, c *client.Client, endpoint string) (p api.PermissionsPatch, err error) {
	s := sharing{c, endpoint}
	asIs := func(_ context.Context, names []string) ([]string, error) {
		return notEmpty(names), nil
	}
	changed(cmd, "everyone", &p.IsEveryoneAllowed, &g.everyone)
	for _, list := range []struct {
		flag  string
		names []string
		into  **[]string
		ids   func(context.Context, []string) ([]string, error)
	}{
		{"user", g.users, &p.UserIDs, s.userIDs}, {"org", g.organizations, &p.OrganizationIDs, s.organizationIDs},
		{"role", g.roles, &p.Roles, asIs}, {"project", g.projects, &p.Projects, asIs}, {"owner", g.owners, &p.OwnerIDs, s.ownerIDs},
	} {
		if !cmd.Flags().Changed(list.flag) {
			continue
		}
		ids, err := list.ids(cmd.Context(), list.names)
		if err != nil {
			return p, err
		}
		*list.into = &ids
	}
	return p, nil
}

// ownerIDs turns names of users and organizations into ids. A name that both a
// user and an organization have is refused: nobody comes in by the name of
// another.
func (s sharing) ownerIDs(ctx context.Context, names []string) ([]string, error) {
	out := []string{}
	for _, name := range names {
		users, err := s.userIDs(ctx, []string{name})
		var missing noSuch
		if err != nil && !errors.As(err, &missing) {
			return nil, err
		}
		if err != nil || !idPattern.MatchString(name) && name != "" {
			organizations, none := s.organizationIDs(ctx, []string{name})
			switch {
			case none != nil && !errors.As(none, &missing):
				return nil, none
			case none != nil && err != nil:
				return nil, noSuch{"user or organization", name}
			case none == nil && err == nil:
				return nil, fmt.Errorf("there are a user and an organization named %q; give the id of the one that you mean", name)
			}
			users = append(users, organizations...)
		}
		out = append(out, users...)
	}
	return out, nil
}

// whole is what permissions are, as a patch would say it.
func whole(p api.Permissions) api.PermissionsPatch {
	return api.PermissionsPatch{IsEveryoneAllowed: &p.IsEveryoneAllowed, UserIDs: &p.UserIDs, OrganizationIDs: &p.OrganizationIDs,
		Roles: &p.Roles, Projects: &p.Projects, OwnerIDs: &p.OwnerIDs}
}

// lists pairs the lists of two patches.
func lists(now, given *api.PermissionsPatch) [][2]**[]string {
	return [][2]**[]string{
		{&now.UserIDs, &given.UserIDs}, {&now.OrganizationIDs, &given.OrganizationIDs}, {&now.Roles, &given.Roles},
		{&now.Projects, &given.Projects}, {&now.OwnerIDs, &given.OwnerIDs},
	}
}

// granted is what is added.
func granted(now, given api.PermissionsPatch) api.PermissionsPatch {
	for _, pair := range lists(&now, &given) {
		if *pair[1] == nil {
			continue
		}
		sum := slices.Clone(**pair[0])
		for _, id := range **pair[1] {
			if !slices.Contains(sum, id) {
				sum = append(sum, id)
			}
		}
		*pair[1] = &sum
	}
	return given
}

// revoked is what is left.
func revoked(now, given api.PermissionsPatch) api.PermissionsPatch {
	for _, pair := range lists(&now, &given) {
		if *pair[1] == nil {
			continue
		}
		left := []string{}
		for _, id := range **pair[0] {
			if !slices.Contains(**pair[1], id) {
				left = append(left, id)
			}
		}
		*pair[1] = &left
	}
	if given.IsEveryoneAllowed != nil && *given.IsEveryoneAllowed {
		given.IsEveryoneAllowed = new(bool)
	}
	return given
}

func permissionsShowCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:               "show NAME",
		Short:             "Show who may call an endpoint",
		Args:              Exactly("NAME"),
		ValidArgsFunction: firstArg(r.completeEndpoints()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			p, err := c.Permissions(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return r.showPermissions(cmd, sharing{c, args[0]}, p)
		}),
	}
}

// permissionsChangeCommand changes permissions; sum makes the change of what is
// and what the flags say.
func permissionsChangeCommand(r *remote, use, short, long string, sum func(now, given api.PermissionsPatch) api.PermissionsPatch) *cobra.Command {
	var g grants
	cmd := &cobra.Command{
		Use:               use,
		Short:             short,
		Long:              short + ". " + long,
		Args:              Exactly("NAME"),
		ValidArgsFunction: firstArg(r.completeEndpoints()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			given, err := g.patch(cmd, c, args[0])
			if err != nil {
				return err
			}
			if given == (api.PermissionsPatch{}) {
				return usagef("give at least one of --everyone, --user, --org, --role, --project, --owner")
			}
			ctx, now, err := asRead(cmd.Context(), c.Permissions, args[0])
			if err != nil {
				return err
			}
			p, err := c.SetPermissions(ctx, args[0], sum(whole(now), given))
			if err != nil {
				return err
			}
			if named := len(p.UserIDs) + len(p.OrganizationIDs) + len(p.Roles) + len(p.Projects); p.IsEveryoneAllowed && named > 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "Everyone may call it, whoever else is named; --everyone=false with set leaves those.")
			}
			return r.showPermissions(cmd, sharing{c, args[0]}, p)
		}),
	}
	g.flags(cmd, r)
	return cmd
}

func (r *remote) showPermissions(cmd *cobra.Command, s sharing, p api.Permissions) error {
	names := func(ids []string) string {
		return strings.Join(named(ids, func(id string) (string, error) { return s.name(cmd.Context(), id) }), ", ")
	}
	return r.show(cmd, p, "", func(add func(...any)) {
		add("everyone", p.IsEveryoneAllowed)
		add("users", names(p.UserIDs))
		add("organizations", names(p.OrganizationIDs))
		add("roles", strings.Join(p.Roles, ", "))
		add("projects", strings.Join(p.Projects, ", "))
		add("owners", names(p.OwnerIDs))
	})
}

// named turns ids into names, as far as they can be had.
func named(ids []string, find func(id string) (string, error)) []string {
	out := slices.Clone(ids)
	for i, id := range ids {
		if name, err := find(id); err == nil && name != "" {
			out[i] = name
		}
	}
	return out
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
