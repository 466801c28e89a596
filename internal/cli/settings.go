package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func settingsCommand() *cobra.Command {
	r := &remote{}
	return withRemote(&cobra.Command{
		Use:   "settings [KEY]",
		Short: "Show the configuration in force, or the part of it under a key",
		Long: "Show the configuration in force, or the part of it under a key. What the file has changed meanwhile, and what is\n" +
			"wrong with it, goes to the standard error. Secrets are not shown.",
		Args: atMostOne("KEY"),
		ValidArgsFunction: firstArg(r.asked(func(ctx context.Context, c *client.Client, _ []string, _ url.Values) (out []candidate, err error) {
			s, err := c.Settings(ctx)
			for _, one := range s.Settings {
				out = append(out, candidate{one.Key, settingText(one)})
			}
			return out, err
		})),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			s, err := c.Settings(cmd.Context())
			if err != nil {
				return err
			}
			if len(args) == 1 {
				if s.Settings = under(s.Settings, args[0]); len(s.Settings) == 0 {
					return noSuch{"setting", args[0]}
				}
			}
			for _, key := range s.Pending {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s has another value in the file, which takes effect at the next start.\n", printable(key))
			}
			for _, problem := range s.Problems {
				fmt.Fprintf(cmd.ErrOrStderr(), "Of the file this is not in force: %s\n", printable(problem))
			}
			return r.show(cmd, s, "KEY VALUE FROM CHANGES", func(add func(...any)) {
				for _, one := range s.Settings {
					add(one.Key, settingText(one), choose(one.Default, "default", "file or flag"), choose(one.Restart, "at a start", "at once"))
				}
			})
		}),
	}, r)
}

func under(list []api.Setting, key string) (out []api.Setting) {
	for _, one := range list {
		if one.Key == key || strings.HasPrefix(one.Key, key+".") {
			out = append(out, one)
		}
	}
	return out
}

func settingText(s api.Setting) string {
	if text, ok := s.Value.(string); ok {
		return text
	}
	text, err := json.Marshal(s.Value)
	if err != nil {
		return fmt.Sprint(s.Value)
	}
	return string(text)
}

func choose(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

func rolesCommand() *cobra.Command {
	r := &remote{}
	return withRemote(&cobra.Command{
		Use:   "roles [NAME]",
		Short: "List roles, or show what one may do",
		Long: "List the roles that somebody has, that permissions name or that the built-in policy knows; or show what the\n" +
			"policies in force let one of them do.",
		Args:              atMostOne("NAME"),
		ValidArgsFunction: firstArg(r.completeRoles()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			list, err := c.Roles(cmd.Context())
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return r.showRoles(cmd, list)
			}
			for _, role := range list.Roles {
				if role.Name == args[0] {
					return r.showRole(cmd, role)
				}
			}
			return noSuch{"role", args[0]}
		}),
	}, r)
}

func (r *remote) showRoles(cmd *cobra.Command, list api.RoleList) error {
	return r.show(cmd, list, "ROLE USERS ENDPOINTS BUILT-IN", func(add func(...any)) {
		for _, role := range list.Roles {
			add(role.Name, role.Users, len(role.Endpoints), role.BuiltIn)
		}
	})
}

func (r *remote) showRole(cmd *cobra.Command, role api.Role) error {
	return r.show(cmd, role, "", func(add func(...any)) {
		add("name", role.Name)
		add("users", role.Users)
		add("endpoints", strings.Join(role.Endpoints, ", "))
		for _, resource := range sortedKeys(role.May) {
			var verbs []string
			for _, verb := range sortedKeys(role.May[resource]) {
				verbs = append(verbs, verb+" "+role.May[resource][verb])
			}
			add("may: "+resource, strings.Join(verbs, ", "))
		}
	})
}
