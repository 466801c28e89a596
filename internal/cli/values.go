package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

// parameters reads key=value pairs.
func parameters(flag string, pairs []string) (map[string]string, error) {
	out := map[string]string{}
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, usagef("--%s takes key=value", flag)
		}
		out[key] = value
	}
	return out, nil
}

// secrets reads key=SOURCE pairs: file:PATH, env:NAME or $NAME, or - for the
// standard input. A value itself is refused: every user of the machine can
// read the arguments of a process. No error repeats what was given.
func secrets(cmd *cobra.Command, pairs []string) (map[string]string, error) {
	out := map[string]string{}
	stdin := 0
	for _, pair := range pairs {
		key, source, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, usagef("--secret takes key=file:PATH, key=env:NAME or key=-")
		}
		if source == "-" {
			stdin++
		}
	}
	if stdin > 1 {
		return nil, usagef("--secret can read one key only from the standard input")
	}
	for _, pair := range pairs {
		key, source, _ := strings.Cut(pair, "=")
		value, err := secret(cmd.InOrStdin(), key, source)
		if err != nil {
			return nil, err
		}
		if value == "" {
			return nil, fmt.Errorf("the secret %s is empty", key)
		}
		out[key] = value
	}
	return out, nil
}

func secret(in io.Reader, key, source string) (string, error) {
	var raw []byte
	var err error
	name, isEnv := strings.CutPrefix(source, "env:")
	if !isEnv {
		name, isEnv = strings.CutPrefix(source, "$")
	}
	path, isFile := strings.CutPrefix(source, "file:")
	switch {
	case source == "-":
		raw, err = io.ReadAll(in)
	case isEnv:
		value, found := os.LookupEnv(name)
		if !found {
			return "", fmt.Errorf("the environment variable %s is not set", name)
		}
		return value, nil
	case isFile:
		raw, err = os.ReadFile(path)
	default:
		return "", usagef("the secret %s was given as a value, which every user of this machine can read in the list "+
			"of processes; give it as %s=file:PATH, %s=env:NAME or %s=- (standard input)", key, key, key, key)
	}
	if err != nil {
		return "", fmt.Errorf("reading the secret %s: %w", key, err)
	}
	return strings.TrimRight(string(raw), "\r\n"), nil
}

var idPattern = regexp.MustCompile(`^[0-9a-f]{24}$`)

// noSuch says that a name is nobody's.
type noSuch struct{ what, name string }

func (e noSuch) Error() string { return fmt.Sprintf("there is no %s named %q", e.what, e.name) }

// userIDs turns names of users into ids; ids stay. An empty name is left out,
// so that --user= empties a list.
func userIDs(ctx context.Context, c *client.Client, names []string) ([]string, error) {
	return ids(names, "user", func(search string) ([]string, []string, error) {
		all, err := c.AllUsers(ctx, search)
		return parts(all, func(u api.User) (string, string) { return u.ID, u.UserName }, err)
	})
}

// organizationIDs does the same for organizations.
func organizationIDs(ctx context.Context, c *client.Client, names []string) ([]string, error) {
	return ids(names, "organization", func(search string) ([]string, []string, error) {
		all, err := c.AllOrganizations(ctx, search)
		return parts(all, func(o api.Organization) (string, string) { return o.ID, o.Name }, err)
	})
}

// credentialIDs does the same for stored credentials.
func credentialIDs(ctx context.Context, c *client.Client, names []string) ([]string, error) {
	return ids(names, "credential", func(search string) ([]string, []string, error) {
		all, err := c.AllCredentials(ctx, search)
		return parts(all, func(k api.Credential) (string, string) { return k.ID, k.Name }, err)
	})
}

// tokenIDs does the same for tokens, whose names need not be unique: a name that
// several tokens have is refused.
func tokenIDs(ctx context.Context, c *client.Client, names []string) ([]string, error) {
	return ids(names, "token", func(string) ([]string, []string, error) {
		all, err := c.AllTokens(ctx, "")
		live := slices.DeleteFunc(all, func(t api.Token) bool { return t.Revoked != nil })
		return parts(live, func(t api.Token) (string, string) { return t.ID, t.Name }, err)
	})
}

// parts takes a list apart into ids and names.
func parts[T any](list []T, of func(T) (id, name string), err error) (ids, names []string, _ error) {
	for _, one := range list {
		id, name := of(one)
		ids, names = append(ids, id), append(names, name)
	}
	return ids, names, err
}

func ids(given []string, what string, search func(string) (ids, names []string, err error)) ([]string, error) {
	out := []string{}
	for _, name := range given {
		switch {
		case name == "":
		case idPattern.MatchString(name):
			out = append(out, name)
		default:
			ids, names, err := search(name)
			if err != nil {
				return nil, err
			}
			var found []string
			for i := range ids {
				if strings.EqualFold(names[i], name) {
					found = append(found, ids[i])
				}
			}
			switch len(found) {
			case 0:
				return nil, noSuch{what, name}
			case 1:
				out = append(out, found[0])
			default:
				return nil, fmt.Errorf("%d %ss are named %q; give the id: %s", len(found), what, name, strings.Join(found, ", "))
			}
		}
	}
	return out, nil
}

// one turns one name into an id.
func one(list []string, err error) (string, error) {
	if err != nil || len(list) == 0 {
		return "", err
	}
	return list[0], nil
}

// asRead reads the thing with the id or name, and returns a context for one change of
// it, which is refused when somebody else has changed it since.
func asRead[T any](ctx context.Context, read func(context.Context, string) (T, error), id string) (context.Context, T, error) {
	ctx = client.Versioned(ctx)
	now, err := read(ctx, id)
	return ctx, now, err
}

// unlessChanged is asRead for changes that need not know what is. What can't be
// read is not compared: the change itself tells what is wrong.
func unlessChanged[T any](ctx context.Context, read func(context.Context, string) (T, error), id string) context.Context {
	versioned, _, err := asRead(ctx, read, id)
	if err != nil {
		return ctx
	}
	return versioned
}

// minute and second show times as people read them, here and now; nothing for
// a time that was not.
func minute(t time.Time) string { return shown(t, "2006-01-02 15:04") }

func second(t time.Time) string { return shown(t, "2006-01-02 15:04:05") }

func shown(t time.Time, layout string) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(layout)
}

// maybe is a time that may never have been.
func maybe(t *time.Time, never string) string {
	if t == nil {
		return never
	}
	return minute(*t)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
