package cli

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

const defaultProfile = "default"

// login holds the flags of sluice login.
type login struct {
	remote

	fingerprint, clientID         string
	stdin, oidc, browser, console bool
}

func loginCommand() *cobra.Command {
	l := &login{}
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Sign in to a gateway, and keep its address, CA and token in a profile",
		Long: "Sign in to a gateway, and keep its address, CA and token in a profile that other commands use from then on.\n" +
			"The token is asked for, or read with --token-file, --token-stdin or from $SLUICE_TOKEN; with --oidc the company's\n" +
			"identity provider gives one.\n\n" +
			"A gateway with a CA of its own shows the fingerprint of that CA at its start. At the first contact it is shown\n" +
			"here too, to be compared, and the CA is kept when you say yes; --ca-fingerprint compares it for you.",
		Example: "  sluice login --server https://gateway.example:8443 --ca-fingerprint sha256:…\n" +
			"  sluice login --server https://gateway.example --oidc\n" +
			"  sluice login --profile test --server https://test.example --token-file ./token",
		Args: Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return l.do(cmd) },
	}
	fl := cmd.Flags()
	fl.StringVar(&l.server, "server", "", "address of the gateway (default $SLUICE_SERVER, the profile's, "+DefaultServer+")")
	fl.StringVar(&l.profile, "profile", "", "name of the profile (default $SLUICE_PROFILE, "+defaultProfile+")")
	fl.StringVar(&l.ca, "ca", "", "PEM file of the CA to trust (default $SLUICE_CA)")
	fl.StringVar(&l.fingerprint, "ca-fingerprint", "", "trust the gateway's own CA if it has this SHA-256, e.g. sha256:1f…")
	fl.StringVar(&l.tokenFile, "token-file", "", "file with the token")
	fl.BoolVar(&l.stdin, "token-stdin", false, "read the token from the standard input")
	fl.BoolVar(&l.oidc, "oidc", false, "sign in at the identity provider")
	fl.BoolVar(&l.browser, "browser", false, "with --oidc: always use a browser on this machine")
	fl.BoolVar(&l.console, "device", false, "with --oidc: always show an address and a code, for a browser on any machine")
	fl.StringVar(&l.clientID, "client-id", "", "with --oidc: the public client at the identity provider (default: the gateway says)")
	cmd.MarkFlagsMutuallyExclusive("token-file", "token-stdin", "oidc")
	cmd.MarkFlagsMutuallyExclusive("browser", "device")
	cmd.MarkFlagsMutuallyExclusive("ca", "ca-fingerprint")
	complete(cmd, "profile", completeProfiles)
	l.group = cmd
	l.outputFlag(cmd)
	return cmd
}

func (l *login) do(cmd *cobra.Command) error {
	if err := l.checkOutput(); err != nil {
		return err
	}
	if (l.browser || l.console || l.clientID != "") && !l.oidc {
		return usagef("--browser, --device and --client-id go with --oidc")
	}
	all, err := loadProfiles()
	if err != nil {
		return err
	}
	name := first(l.profile, os.Getenv("SLUICE_PROFILE"), defaultProfile)
	if !profileName.MatchString(name) {
		return usagef("a profile has a name of letters, digits, dots, dashes and underscores, not %q", name)
	}
	kept := all.Profiles[name]
	p := profile{Server: strings.TrimRight(first(l.server, os.Getenv("SLUICE_SERVER"), kept.Server, DefaultServer), "/")}
	if strings.HasPrefix(p.Server, "http:") && !client.Loopback(p.Server) {
		return usagef("%s would get the token in the clear; use https", p.Server)
	}
	if sameServer(p.Server, kept.Server) {
		p.CA = kept.CA
	}
	ways, err := l.reach(cmd, &p)
	if err != nil {
		return err
	}
	self, err := l.identify(cmd, &p, ways)
	if err != nil {
		return err
	}
	p.User = self.UserName
	if err := changeProfiles(func(all *profiles) error {
		all.Profiles[name], all.Current = p, name
		return nil
	}); err != nil {
		return err
	}
	return l.say(cmd, map[string]any{"profile": name, "server": p.Server, "user": self.User},
		"Signed in to %s as %s. The profile %s is the current one.", p.Server, self.UserName, name)
}

// reach makes the first contact, and puts the CA to trust into the profile. It
// returns the ways to sign in.
func (l *login) reach(cmd *cobra.Command, p *profile) (api.SignIn, error) {
	if file := first(l.ca, os.Getenv("SLUICE_CA")); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return api.SignIn{}, fmt.Errorf("reading the CA file: %w", err)
		}
		p.CA = string(pem)
	}
	if l.fingerprint != "" {
		p.CA = "" // compared again, also where one was kept
	}
	ways, err := l.signIn(cmd.Context(), *p)
	var unknown x509.UnknownAuthorityError
	switch {
	case err == nil && l.fingerprint == "":
		return ways, nil
	case err != nil && !errors.As(err, &unknown):
		return ways, err
	case p.CA != "":
		return ways, fmt.Errorf("the certificate of %s is not from the CA that is trusted for it: it has a new CA, or somebody "+
			"is in between; compare the fingerprint that the gateway shows at its start, and give it with --ca-fingerprint: %w", p.Server, unknown)
	}
	pem, err := l.meet(cmd, p.Server)
	if err != nil {
		return ways, err
	}
	p.CA = pem
	return l.signIn(cmd.Context(), *p)
}

// signIn asks for the ways to sign in. An older gateway knows tokens only.
func (l *login) signIn(ctx context.Context, p profile) (api.SignIn, error) {
	c, err := l.dial(target{server: p.Server, ca: []byte(p.CA)})
	if err != nil {
		return api.SignIn{}, err
	}
	ways, err := c.SignIn(ctx)
	var answered *client.Error
	if errors.As(err, &answered) && slices.Contains([]int{http.StatusNotFound, http.StatusUnauthorized}, answered.Status) {
		return api.SignIn{Methods: []string{api.SignInToken}}, nil
	}
	return ways, err
}

// identify gets the token and asks the gateway whose it is.
func (l *login) identify(cmd *cobra.Command, p *profile, ways api.SignIn) (self api.Self, err error) {
	if l.oidc {
		return l.identifyByProvider(cmd, p, ways)
	}
	if p.Token, err = l.readToken(cmd); err != nil {
		return self, err
	}
	return l.whose(cmd.Context(), *p)
}

func (l *login) whose(ctx context.Context, p profile) (api.Self, error) {
	c, err := l.dial(target{server: p.Server, ca: []byte(p.CA), token: p.Token})
	if err != nil {
		return api.Self{}, err
	}
	self, err := c.Self(ctx)
	if err != nil {
		return self, fmt.Errorf("%s does not let you in: %w", p.Server, err)
	}
	return self, nil
}

func (l *login) readToken(cmd *cobra.Command) (token string, err error) {
	var raw []byte
	switch {
	case l.tokenFile != "":
		raw, err = os.ReadFile(l.tokenFile)
	case l.stdin:
		raw, err = io.ReadAll(io.LimitReader(cmd.InOrStdin(), 1<<16))
	case os.Getenv("SLUICE_TOKEN") != "":
		raw = []byte(os.Getenv("SLUICE_TOKEN"))
	case interactive(cmd):
		token, err = askSecret(cmd, "Token: ")
		raw = []byte(token)
	default:
		return "", usagef("there is nobody to ask for the token: give --token-file, --token-stdin or --oidc")
	}
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	if token = strings.TrimSpace(string(raw)); token == "" {
		return "", errors.New("the token is empty")
	}
	return token, nil
}

func whoamiCommand() *cobra.Command {
	r := &remote{}
	return withRemote(&cobra.Command{
		Use:   "whoami",
		Short: "Show who the gateway takes you for, and what your credential is bound to",
		Args:  Exactly(),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			self, err := c.Self(cmd.Context())
			if err != nil {
				return err
			}
			return r.show(cmd, self, "", func(add func(...any)) {
				add("name", self.UserName)
				add("id", self.ID)
				for _, line := range [][2]string{
					{"full name", self.FullName}, {"email", self.Email}, {"roles", strings.Join(self.Roles, ", ")},
					{"signed in with", self.Credential}, {"token", self.TokenName}, {"token id", self.TokenID},
					{"project", self.Project}, {"execution", self.Execution},
				} {
					if line[1] != "" {
						add(line[0], line[1])
					}
				}
				add("server", c.Server())
			})
		}),
	}, r)
}
