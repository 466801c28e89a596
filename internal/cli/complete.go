package cli

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

// completer finds what may stand where a shell wants a word. It is silent about
// errors: a shell has no place for them.
type completer = cobra.CompletionFunc

const (
	// completionTime is how long a shell waits for a gateway.
	completionTime = 2 * time.Second
	completionRows = 200
)

// complete says what a flag takes.
func complete(cmd *cobra.Command, flag string, of completer) {
	if err := cmd.RegisterFlagCompletionFunc(flag, of); err != nil {
		panic(err) // a flag that the command has not: the first test finds it
	}
}

// fixed are words that are always the same.
func fixed(words ...string) completer {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

// firstArg completes the first argument only.
func firstArg(of completer) completer { return argsInTurn(of) }

// argsInTurn completes each argument with its own.
func argsInTurn(of ...completer) completer {
	return func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= len(of) || of[len(args)] == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return of[len(args)](cmd, args, word)
	}
}

func completeProfiles(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var out []cobra.Completion
	if all, err := loadProfiles(); err == nil {
		for _, name := range sortedKeys(all.Profiles) {
			out = append(out, cobra.CompletionWithDesc(name, all.Profiles[name].Server))
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// candidate is a word and what it means.
type candidate struct{ word, about string }

// asked completes with what a gateway knows that begins with the word.
func (r *remote) asked(ask func(ctx context.Context, c *client.Client, args []string, q url.Values) ([]candidate, error)) completer {
	return func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var out []cobra.Completion
		c, err := r.client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		parent := cmd.Context()
		if parent == nil {
			parent = context.Background()
		}
		ctx, cancel := context.WithTimeout(parent, completionTime)
		defer cancel()
		q := url.Values{"limit": {strconv.Itoa(completionRows)}}
		if word != "" {
			q.Set("searchFilter", word)
		}
		found, err := ask(ctx, c, args, q)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		for _, f := range found {
			if strings.HasPrefix(strings.ToLower(f.word), strings.ToLower(word)) {
				out = append(out, cobra.CompletionWithDesc(printable(f.word), printable(f.about)))
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

func (r *remote) completeEndpoints() completer {
	return r.asked(func(ctx context.Context, c *client.Client, _ []string, q url.Values) (out []candidate, err error) {
		list, err := c.ListEndpoints(ctx, q)
		for _, e := range list.Endpoints {
			out = append(out, candidate{e.EndpointName, e.ModelProvider + " " + e.ModelName})
		}
		return out, err
	})
}

// completeTargets completes the targets of the endpoint that is the first
// argument.
func (r *remote) completeTargets() completer {
	return r.asked(func(ctx context.Context, c *client.Client, args []string, _ url.Values) (out []candidate, err error) {
		list, err := c.Targets(ctx, args[0])
		for _, t := range list.Targets {
			out = append(out, candidate{t.Name, t.ModelProvider + " " + t.ModelName})
		}
		return out, err
	})
}

func (r *remote) completeUsers(kind string) completer {
	return r.asked(func(ctx context.Context, c *client.Client, _ []string, q url.Values) (out []candidate, err error) {
		if kind != "" {
			q.Set("kind", kind)
		}
		list, err := c.ListUsers(ctx, q)
		for _, u := range list.Users {
			out = append(out, candidate{u.UserName, u.FullName})
		}
		return out, err
	})
}

func (r *remote) completeOrganizations() completer {
	return r.asked(func(ctx context.Context, c *client.Client, _ []string, q url.Values) (out []candidate, err error) {
		list, err := c.ListOrganizations(ctx, q)
		for _, o := range list.Organizations {
			out = append(out, candidate{o.Name, strconv.Itoa(len(o.Members)) + " members"})
		}
		return out, err
	})
}

// completeTokens completes ids, and names where they are asked for by them.
func (r *remote) completeTokens() completer {
	return r.asked(func(ctx context.Context, c *client.Client, _ []string, q url.Values) (out []candidate, err error) {
		q.Del("searchFilter")
		list, err := c.ListTokens(ctx, q)
		for _, t := range list.Tokens {
			if t.Revoked == nil {
				out = append(out, candidate{t.ID, t.Name + " of " + t.UserName}, candidate{t.Name, "of " + t.UserName})
			}
		}
		return out, err
	})
}

func (r *remote) completeProviders() completer {
	return r.asked(func(ctx context.Context, c *client.Client, _ []string, _ url.Values) (out []candidate, err error) {
		list, err := c.Providers(ctx)
		for _, p := range list.Providers {
			out = append(out, candidate{p.ID, p.Title})
		}
		return out, err
	})
}

func (r *remote) completeBundles() completer {
	return r.asked(func(ctx context.Context, c *client.Client, _ []string, _ url.Values) (out []candidate, err error) {
		s, err := c.Policies(ctx)
		for _, b := range s.Bundles {
			out = append(out, candidate{b.Name, b.Source})
		}
		return out, err
	})
}

// completePolicyFiles completes the files of the bundle that is the first
// argument.
func (r *remote) completePolicyFiles() completer {
	return r.asked(func(ctx context.Context, c *client.Client, args []string, _ url.Values) (out []candidate, err error) {
		bundle, err := c.PolicyFiles(ctx, args[0])
		for _, f := range bundle.Files {
			out = append(out, candidate{f.Path, ""})
		}
		return out, err
	})
}

func (r *remote) completeRoles() completer {
	return r.asked(func(ctx context.Context, c *client.Client, _ []string, _ url.Values) (out []candidate, err error) {
		list, err := c.Roles(ctx)
		for _, role := range list.Roles {
			out = append(out, candidate{role.Name, strconv.Itoa(role.Users) + " users"})
		}
		return out, err
	})
}

// completeModels completes the models that are known of the provider that
// --provider names.
func (r *remote) completeModels() completer {
	return r.ofProvider(func(p api.Provider) (out []candidate) {
		for _, kind := range sortedKeys(p.Models) {
			for _, m := range p.Models[kind] {
				out = append(out, candidate{m, kind})
			}
		}
		return out
	})
}

// completeFields completes the parameters of that provider, or its keys.
func (r *remote) completeFields(secret bool) completer {
	return r.ofProvider(func(p api.Provider) (out []candidate) {
		for _, f := range p.Fields {
			if f.Secret == secret {
				out = append(out, candidate{f.Name + "=", f.Title})
			}
		}
		return out
	})
}

func (r *remote) ofProvider(list func(api.Provider) []candidate) completer {
	return func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		words, directive := r.asked(func(ctx context.Context, c *client.Client, _ []string, _ url.Values) ([]candidate, error) {
			all, err := c.Providers(ctx)
			for _, p := range all.Providers {
				if isProvider(p, cmd.Flag("provider").Value.String()) {
					return list(p), nil
				}
			}
			return nil, err
		})(cmd, args, word)
		return words, directive | cobra.ShellCompDirectiveNoSpace
	}
}

func (r *remote) completeCredentials() completer {
	return r.asked(func(ctx context.Context, c *client.Client, _ []string, q url.Values) (out []candidate, err error) {
		list, err := c.ListCredentials(ctx, q)
		for _, k := range list.Credentials {
			out = append(out, candidate{k.Name, k.Provider})
		}
		return out, err
	})
}

func (r *remote) completeHolds() completer {
	return r.asked(func(ctx context.Context, c *client.Client, _ []string, _ url.Values) (out []candidate, err error) {
		found, err := c.ListHolds(ctx)
		for _, h := range found.Holds {
			out = append(out, candidate{h.Name, h.Reason})
		}
		return out, err
	})
}

func (r *remote) completeSessions() completer {
	return r.asked(func(ctx context.Context, c *client.Client, _ []string, q url.Values) (out []candidate, err error) {
		list, err := c.ListSessions(ctx, q)
		for _, s := range list.Sessions {
			out = append(out, candidate{s.ID, s.UserName + " " + s.Address})
		}
		return out, err
	})
}
