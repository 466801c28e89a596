package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

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

// userIDs turns names of users into ids; ids stay. An empty name is left out,
// so that --user= empties a list.
func userIDs(ctx context.Context, c *client.Client, names []string) ([]string, error) {
	return ids(names, "user", func(name string) (string, error) {
		users, err := c.AllUsers(ctx, name)
		for _, u := range users {
			if strings.EqualFold(u.UserName, name) {
				return u.ID, nil
			}
		}
		return "", err
	})
}

// organizationIDs does the same for organizations.
func organizationIDs(ctx context.Context, c *client.Client, names []string) ([]string, error) {
	return ids(names, "organization", func(name string) (string, error) {
		organizations, err := c.AllOrganizations(ctx, name)
		for _, o := range organizations {
			if strings.EqualFold(o.Name, name) {
				return o.ID, nil
			}
		}
		return "", err
	})
}

func ids(names []string, what string, find func(string) (string, error)) ([]string, error) {
	out := []string{}
	for _, name := range names {
		switch {
		case name == "":
		case idPattern.MatchString(name):
			out = append(out, name)
		default:
			id, err := find(name)
			if err != nil {
				return nil, err
			}
			if id == "" {
				return nil, fmt.Errorf("there is no %s named %q", what, name)
			}
			out = append(out, id)
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
