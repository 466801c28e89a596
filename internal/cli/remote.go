package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/client"
)

// DefaultServer is where a gateway listens that nobody configured.
const DefaultServer = "https://127.0.0.1:8443"

// remote holds the flags of every command that speaks to a gateway.
type remote struct {
	group *cobra.Command // that has the flags

	server, ca, tokenFile, data, profile, output string
	yes                                          bool
}

// withRemote adds the flags to a command and all of its children.
func withRemote(cmd *cobra.Command, r *remote) *cobra.Command {
	r.group = cmd
	fl := cmd.PersistentFlags()
	fl.StringVar(&r.server, "server", "", "address of the gateway (default $SLUICE_SERVER, the profile's, "+DefaultServer+")")
	fl.StringVar(&r.ca, "ca", "", "PEM file of the CA to trust (default $SLUICE_CA, the profile's, <data>/ca.pem)")
	fl.StringVar(&r.tokenFile, "token-file", "", "file with the token (default $SLUICE_TOKEN, the profile's, <data>/admin-token)")
	fl.StringVar(&r.profile, "profile", "", "profile that sluice login has kept (default $SLUICE_PROFILE, the current one)")
	fl.StringVar(&r.data, "data", "./data", "folder of a gateway on this machine; given, no profile is used")
	r.outputFlag(cmd)
	complete(cmd, "profile", completeProfiles)
	return cmd
}

// run is what a command does that speaks to a gateway.
func (r *remote) run(do func(cmd *cobra.Command, c *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := r.client()
		if err != nil {
			return err
		}
		return do(cmd, c, args)
	}
}

// client checks the flags and makes the client.
func (r *remote) client() (*client.Client, error) {
	if err := r.checkOutput(); err != nil {
		return nil, err
	}
	t, err := r.target()
	if err != nil {
		return nil, err
	}
	return r.dial(t)
}

// target is a gateway, and as whom to speak to it.
type target struct {
	server, token, caFile string
	ca                    []byte // PEM, beside caFile
}

func (r *remote) dial(t target) (*client.Client, error) {
	c, err := client.New(client.Options{
		Server: t.server, Token: t.token, CAFile: t.caFile, CA: t.ca, UserAgent: "sluice/" + r.group.Root().Version,
	})
	if err != nil {
		return nil, UsageError{err}
	}
	return c, nil
}

// target works out which gateway is meant: by flags, then by the environment,
// then by the profile, then by the data folder. A token of a profile or a data
// folder never goes to another server than it was kept for, unless both are
// named.
func (r *remote) target() (target, error) {
	p, err := r.chosenProfile()
	if err != nil {
		return target{}, err
	}
	t := target{server: first(r.server, os.Getenv("SLUICE_SERVER"), p.Server, DefaultServer)}
	switch file := first(r.ca, os.Getenv("SLUICE_CA")); {
	case file != "":
		t.caFile = file
	case p.Server != "":
		t.ca = []byte(p.CA)
	default:
		t.caFile = r.dataFile("ca.pem")
	}
	t.token, err = r.token(p, t.server)
	return t, err
}

func (r *remote) token(p profile, server string) (string, error) {
	file := r.tokenFile
	if file == "" {
		if token := os.Getenv("SLUICE_TOKEN"); token != "" {
			return token, nil
		}
		if p.Server != "" {
			return r.profileToken(p)
		}
		if file = r.dataFile("admin-token"); file == "" {
			return "", fmt.Errorf("you have not signed in: run sluice login, or name a token with --token-file or SLUICE_TOKEN "+
				"(there is no %s either)", filepath.Join(r.data, "admin-token"))
		}
		if !client.Loopback(server) && !r.group.PersistentFlags().Changed("data") {
			return "", fmt.Errorf("you have not signed in to %s, and %s is for the gateway on this machine: run sluice login, "+
				"name a token with --token-file or SLUICE_TOKEN, or give --data too if that gateway is meant", server, file)
		}
	}
	token, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading the token (see --token-file): %w", err)
	}
	return strings.TrimSpace(string(token)), nil
}

// dataFile is a file of the data folder, "" where it is missing.
func (r *remote) dataFile(name string) string {
	file := filepath.Join(r.data, name)
	if _, err := os.Stat(file); err != nil {
		return ""
	}
	return file
}

// caFileForOthers is the absolute path of the file of the CA that is trusted,
// for code that other programs run; "" where the system's roots are enough.
func (r *remote) caFileForOthers() (string, error) {
	t, err := r.target()
	if err != nil || t.caFile == "" && len(t.ca) == 0 {
		return "", err
	}
	if t.caFile != "" {
		return filepath.Abs(t.caFile)
	}
	path, err := profilesPath()
	if err != nil {
		return "", err
	}
	path = filepath.Join(filepath.Dir(path), r.profile+"-ca.pem")
	if now, err := os.ReadFile(path); err == nil && bytes.Equal(now, t.ca) {
		return path, nil
	}
	file, err := newSecretFile(path)
	if err != nil {
		return "", fmt.Errorf("writing the CA for other programs: %w", err)
	}
	defer file.discard()
	if err := file.keep(string(t.ca)); err != nil {
		return "", fmt.Errorf("writing the CA for other programs: %w", err)
	}
	return path, nil
}

// first returns the first text that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
