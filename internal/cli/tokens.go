package cli

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func tokensCommand() *cobra.Command {
	r := &remote{}
	nobody := thing[api.User]{}
	return withRemote(group("tokens", "List, create and revoke API tokens",
		tokensListCommand(r, nobody), tokensCreateCommand(r, nobody), tokensRevokeCommand(r)), r)
}

// tokensListCommand lists the tokens of whom --user names, or of the argument
// where owner has one.
func tokensListCommand(r *remote, owner thing[api.User]) *cobra.Command {
	var user string
	var active bool
	l := listing[api.Token]{
		short:  "List tokens: your own, or everybody's for administrators",
		search: "a name",
		sorts:  []string{"created", "name", "expires"},
		header: "ID NAME USER PROJECT BOUND CREATED USED STATE",
		fetch: func(cmd *cobra.Command, c *client.Client, args []string, q url.Values) ([]api.Token, int, error) {
			id, err := one(userIDs(cmd.Context(), c, append(args, user)))
			if err != nil {
				return nil, 0, err
			}
			if id != "" {
				q.Set("userId", id)
			}
			if active {
				q.Set("active", "true")
			}
			list, err := c.ListTokens(cmd.Context(), q)
			return list.Tokens, list.Metadata.TotalCount, err
		},
		cells: func(t api.Token) []any {
			return []any{t.ID, t.Name, t.UserName, t.Project, bound(t), minute(t.Created), maybe(t.LastUsed, "never"), tokenState(t)}
		},
	}
	if owner.arg != "" {
		l.use, l.short, l.args = "list "+owner.arg, "List the tokens of a "+owner.name, Exactly(owner.arg)
	}
	cmd := listCommand(r, l)
	cmd.Flags().BoolVar(&active, "active", false, "leave out those that are revoked or have expired")
	if owner.arg != "" {
		cmd.ValidArgsFunction = firstArg(owner.complete(r))
		return cmd
	}
	cmd.Flags().StringVar(&user, "user", "", "name or id of a user")
	complete(cmd, "user", r.completeUsers(""))
	return cmd
}

// bound says in short what a token is bound to.
func bound(t api.Token) string {
	var to []string
	if n := len(t.EndpointIDs); n > 0 {
		to = append(to, choose(n == 1, "1 endpoint", fmt.Sprintf("%d endpoints", n)))
	}
	if len(t.Networks) > 0 {
		to = append(to, strings.Join(t.Networks, " "))
	}
	return strings.Join(to, ", ")
}

func tokenState(t api.Token) string {
	switch {
	case t.Revoked != nil:
		return "revoked " + t.Revoked.Local().Format(time.DateOnly)
	case t.Expires == nil:
		return "never expires"
	case t.Expires.Before(time.Now()):
		return "expired " + t.Expires.Local().Format(time.DateOnly)
	}
	return "expires " + minute(*t.Expires)
}

// newToken holds the flags of a new token.
type newToken struct {
	api.NewToken

	user, file, expires string
}

func tokensCreateCommand(r *remote, owner thing[api.User]) *cobra.Command {
	var in newToken
	args := []string{"NAME"}
	if owner.arg != "" {
		args = []string{owner.arg, "NAME"}
	}
	cmd := &cobra.Command{
		Use:   "create " + strings.Join(args, " "),
		Short: "Create a token; it is printed once, alone on the standard output",
		Args:  Exactly(args...),
		RunE: func(cmd *cobra.Command, args []string) error {
			if owner.arg != "" {
				in.user = args[0]
			}
			in.Name = args[len(args)-1]
			return in.create(r, cmd)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&in.Project, "project", "", "project the token is bound to")
	fl.StringVar(&in.Execution, "execution", "", "workspace or run the token is bound to")
	fl.StringArrayVar(&in.EndpointNames, "endpoint", nil, "endpoint that the token may call, and no other (repeatable)")
	fl.StringArrayVar(&in.Networks, "network", nil, "network that it is taken from, and no other, e.g. 10.1.0.0/16 (repeatable)")
	fl.StringVar(&in.expires, "expires", "", "how long it works, e.g. 12h or 90d, or until when, e.g. 2030-01-31 (default: until revoked)")
	fl.StringVar(&in.file, "to", "", "file to write the token to, readable by you only, instead of printing it")
	complete(cmd, "endpoint", r.completeEndpoints())
	if owner.arg != "" {
		cmd.ValidArgsFunction = firstArg(owner.complete(r))
		return cmd
	}
	fl.StringVar(&in.user, "user", "", "name or id of the user the token is for (default: you)")
	complete(cmd, "user", r.completeUsers(""))
	return cmd
}

func (in *newToken) create(r *remote, cmd *cobra.Command) (err error) {
	if cmd.Flags().Changed("expires") {
		if in.Expires, err = expiry(in.expires, time.Now()); err != nil {
			return err
		}
	}
	c, err := r.client()
	if err != nil {
		return err
	}
	if in.UserID, err = one(userIDs(cmd.Context(), c, []string{in.user})); err != nil {
		return err
	}
	kept, err := newSecretFile(in.file)
	if err != nil {
		return fmt.Errorf("keeping the token: %w", err)
	}
	defer kept.discard()
	t, err := c.CreateToken(cmd.Context(), in.NewToken)
	if err != nil {
		return err
	}
	return r.showToken(cmd, t, kept)
}

// expiry reads a time to come: a duration, with d for days, or a day or time.
func expiry(text string, now time.Time) (*time.Time, error) {
	var at time.Time
	if length, err := duration(text); err == nil {
		at = now.Add(length)
	} else if at, err = time.Parse(time.RFC3339, text); err != nil {
		if at, err = time.ParseInLocation(time.DateOnly, text, time.Local); err != nil {
			return nil, usagef("--expires takes a duration such as 12h or 90d, a day such as 2030-01-31 or a time such as 2030-01-31T12:00:00Z")
		}
	}
	if !at.After(now) {
		return nil, usagef("--expires takes a time to come")
	}
	at = at.UTC()
	return &at, nil
}

// duration reads Go's durations, and whole days such as 90d.
func duration(text string) (time.Duration, error) {
	if days, found := strings.CutSuffix(text, "d"); found {
		hours, err := time.ParseDuration(days + "h")
		return 24 * hours, err
	}
	return time.ParseDuration(text)
}

func (r *remote) showToken(cmd *cobra.Command, t api.IssuedToken, kept *secretFile) error {
	if kept != nil {
		if err := kept.keep(t.Plaintext + "\n"); err != nil {
			return fmt.Errorf("keeping the token: %w", err)
		}
		return r.say(cmd, t.Token, "The token %s (%s) is in %s.", t.Name, t.ID, kept.name)
	}
	if r.output == outputJSON || r.output == outputYAML {
		return r.say(cmd, t, "")
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "The token %s (%s) of %s is shown this once:\n", printable(t.Name), t.ID, printable(t.UserName))
	_, err := fmt.Fprintln(cmd.OutOrStdout(), t.Plaintext)
	return err
}

func tokensRevokeCommand(r *remote) *cobra.Command {
	return r.yesFlag(&cobra.Command{
		Use:               "revoke TOKEN",
		Short:             "Make a token useless, at once",
		Args:              Exactly("TOKEN"),
		ValidArgsFunction: firstArg(r.completeTokens()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			id, err := one(tokenIDs(cmd.Context(), c, args))
			if err != nil {
				return err
			}
			ctx := unlessChanged(cmd.Context(), c.Token, id)
			if err := r.confirm(cmd, "Revoke the token %s? What uses it is refused from then on.", args[0]); err != nil {
				return err
			}
			t, err := c.RevokeToken(ctx, id)
			if err != nil {
				return err
			}
			return r.say(cmd, t, "The token %s (%s) is revoked.", t.Name, t.ID)
		}),
	})
}
