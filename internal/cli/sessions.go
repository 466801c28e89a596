package cli

import (
	"net/url"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func sessionsCommand() *cobra.Command {
	r := &remote{}
	return withRemote(group("sessions", "List the browsers in which people have signed in to the web UI, and sign them out",
		sessionsListCommand(r), sessionsEndCommand(r)), r)
}

func sessionsListCommand(r *remote) *cobra.Command {
	var user string
	cmd := listCommand(r, listing[api.Session]{
		short:  "List sessions: your own, or everybody's for administrators",
		search: "a name, way to sign in, address or browser",
		sorts:  []string{"created", "lastSeen", "expires", "userName"},
		header: "ID USER METHOD CREATED SEEN EXPIRES ADDRESS BROWSER",
		fetch: func(cmd *cobra.Command, c *client.Client, _ []string, q url.Values) ([]api.Session, int, error) {
			id, err := one(userIDs(cmd.Context(), c, []string{user}))
			if err != nil {
				return nil, 0, err
			}
			if id != "" {
				q.Set("userId", id)
			}
			list, err := c.ListSessions(cmd.Context(), q)
			return list.Sessions, list.Metadata.TotalCount, err
		},
		cells: func(s api.Session) []any {
			return []any{s.ID, s.UserName, s.Method, minute(s.Created), minute(s.LastSeen), minute(s.Expires), s.Address, s.Browser}
		},
	})
	cmd.Flags().StringVar(&user, "user", "", "name or id of a user")
	complete(cmd, "user", r.completeUsers(""))
	return cmd
}

func sessionsEndCommand(r *remote) *cobra.Command {
	var user string
	cmd := r.yesFlag(&cobra.Command{
		Use:   "end [ID]",
		Short: "Sign a browser out, or a user out of all browsers",
		Args:  atMostOne("ID"),

		ValidArgsFunction: firstArg(r.completeSessions()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			switch {
			case len(args) == 1 && user != "", len(args) == 0 && user == "":
				return usagef("give the ID of a session, or --user for all sessions of a user")
			case len(args) == 1:
				if err := c.EndSession(cmd.Context(), args[0]); err != nil {
					return err
				}
				return r.say(cmd, map[string]string{"ended": args[0]}, "The session %s has ended.", args[0])
			}
			id, err := one(userIDs(cmd.Context(), c, []string{user}))
			if err != nil {
				return err
			}
			if err := r.confirm(cmd, "Sign %s out of all browsers?", user); err != nil {
				return err
			}
			n, err := c.EndSessions(cmd.Context(), id)
			if err != nil {
				return err
			}
			return r.say(cmd, map[string]int{"ended": n}, "%d sessions of %s have ended.", n, user)
		}),
	})
	cmd.Flags().StringVar(&user, "user", "", "name or id of a user: all of the user's sessions")
	complete(cmd, "user", r.completeUsers(""))
	return cmd
}

// atMostOne wants one argument or none.
func atMostOne(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usagef("%s takes one %s, or none", cmd.CommandPath(), name)
		}
		return nil
	}
}
