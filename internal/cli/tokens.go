package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
)

func tokensCommand() *cobra.Command {
	r := &remote{}
	return withRemote(group("tokens", "List, create and revoke API tokens",
		tokensListCommand(r), tokensCreateCommand(r), tokensRevokeCommand(r)), r)
}

func tokensListCommand(r *remote) *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List tokens: your own, or everybody's for administrators",
		Args:  Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			owner, err := one(userIDs(cmd.Context(), c, []string{user}))
			if err != nil {
				return err
			}
			all, err := c.AllTokens(cmd.Context(), owner)
			if err != nil {
				return err
			}
			return r.show(cmd, all, "ID NAME USER PROJECT CREATED STATE", func(add func(...any)) {
				for _, t := range all {
					add(t.ID, t.Name, t.UserName, t.Project, t.Created.Format("2006-01-02 15:04"), tokenState(t))
				}
			})
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "name or id of a user")
	return cmd
}

func tokenState(t api.Token) string {
	switch {
	case t.Revoked != nil:
		return "revoked " + t.Revoked.Format("2006-01-02")
	case t.Expires == nil:
		return "never expires"
	case t.Expires.Before(time.Now()):
		return "expired " + t.Expires.Format("2006-01-02")
	}
	return "expires " + t.Expires.Format("2006-01-02 15:04")
}

func tokensCreateCommand(r *remote) *cobra.Command {
	var in api.NewToken
	var user, file string
	var expires time.Duration
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a token; it is printed once, alone on the standard output",
		Args:  Exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("expires") && expires <= 0 {
				return usagef("--expires takes a time to come, e.g. 720h")
			}
			c, err := r.client()
			if err != nil {
				return err
			}
			in.Name = args[0]
			if in.UserID, err = one(userIDs(cmd.Context(), c, []string{user})); err != nil {
				return err
			}
			if expires > 0 {
				at := time.Now().Add(expires).UTC()
				in.Expires = &at
			}
			kept, err := newSecretFile(file)
			if err != nil {
				return fmt.Errorf("keeping the token: %w", err)
			}
			defer kept.discard()
			t, err := c.CreateToken(cmd.Context(), in)
			if err != nil {
				return err
			}
			return r.showToken(cmd, t, kept)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&user, "user", "", "name or id of the user the token is for (default: you)")
	fl.StringVar(&in.Project, "project", "", "project the token is bound to")
	fl.StringVar(&in.Execution, "execution", "", "workspace or run the token is bound to")
	fl.DurationVar(&expires, "expires", 0, "how long the token works, e.g. 720h (default: until revoked)")
	fl.StringVar(&file, "to", "", "file to write the token to, readable by you only, instead of printing it")
	return cmd
}

// secretFile becomes the file of its name when something is kept in it: only
// its owner can read it, also where a file was there that others could read.
type secretFile struct {
	name string
	tmp  *os.File
}

// newSecretFile makes sure that the file can be written, before there is
// something to be lost; nil for no name.
func newSecretFile(name string) (*secretFile, error) {
	if name == "" {
		return nil, nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".sluice-*") // 0600
	if err != nil {
		return nil, err
	}
	return &secretFile{name: name, tmp: tmp}, nil
}

func (f *secretFile) keep(text string) error {
	_, err := f.tmp.WriteString(text)
	if err = errors.Join(err, f.tmp.Close()); err != nil {
		return err
	}
	return os.Rename(f.tmp.Name(), f.name)
}

// discard takes away what keep did not put in its place.
func (f *secretFile) discard() {
	if f != nil {
		_ = f.tmp.Close()
		_ = os.Remove(f.tmp.Name())
	}
}

func (r *remote) showToken(cmd *cobra.Command, t api.IssuedToken, kept *secretFile) error {
	if kept != nil {
		if err := kept.keep(t.Plaintext + "\n"); err != nil {
			return fmt.Errorf("keeping the token: %w", err)
		}
		return r.say(cmd, t.Token, "The token %s (%s) is in %s.", t.Name, t.ID, kept.name)
	}
	if r.output == "json" {
		return printJSON(cmd.OutOrStdout(), t)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "The token %s (%s) of %s is shown this once:\n", t.Name, t.ID, t.UserName)
	_, err := fmt.Fprintln(cmd.OutOrStdout(), t.Plaintext)
	return err
}

func tokensRevokeCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "Make a token useless, at once",
		Args:  Exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			t, err := c.RevokeToken(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return r.say(cmd, t, "The token %s (%s) is revoked.", t.Name, t.ID)
		},
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
