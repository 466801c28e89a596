package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// profile is a gateway that somebody has signed in to. It holds secrets.
type profile struct {
	Server string `json:"server"`
	CA     string `json:"ca,omitempty"`    // PEM; "": the system's are trusted
	Token  string `json:"token,omitempty"` // "": signed out
	User   string `json:"user,omitempty"`  // name, as it was at the sign-in
	OIDC   *grant `json:"oidc,omitempty"`  // nil: Token is an API token
}

// grant is what an identity provider has given: Token ends at Expires and is
// renewed with Refresh.
type grant struct {
	Issuer   string    `json:"issuer"`
	ClientID string    `json:"clientId"`
	Refresh  string    `json:"refreshToken,omitempty"`
	Expires  time.Time `json:"expires"`
	// UseIDToken says that the gateway takes the ID token, not the access token.
	UseIDToken bool `json:"useIdToken,omitempty"`
}

// profiles is the file of all profiles. It is for its owner only: 0600 in a
// folder of 0700.
type profiles struct {
	path     string
	Current  string             `json:"current,omitempty"`
	Profiles map[string]profile `json:"profiles"`
}

var profileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// profilesPath is $XDG_CONFIG_HOME/sluice/profiles.json, or what the system has
// in its place.
func profilesPath() (string, error) {
	dir := os.Getenv("XDG_CONFIG_HOME")
	if dir == "" {
		var err error
		if dir, err = os.UserConfigDir(); err != nil {
			return "", fmt.Errorf("finding the folder of profiles: %w", err)
		}
	}
	return filepath.Join(dir, "sluice", "profiles.json"), nil
}

// loadProfiles reads the file; a missing one has no profiles.
func loadProfiles() (*profiles, error) {
	path, err := profilesPath()
	if err != nil {
		return nil, err
	}
	p := &profiles{path: path, Profiles: map[string]profile{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the profiles: %w", err)
	}
	if err := json.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("reading the profiles: %s is not as sluice login writes it; repair it or take it away: %w", path, err)
	}
	if p.Profiles == nil {
		p.Profiles = map[string]profile{}
	}
	return p, nil
}

// save writes the file anew, in a folder that is there, so that a command that is stopped leaves no half
// of it.
func (p *profiles) save() error {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("keeping the profiles: %w", err)
	}
	file, err := newSecretFile(p.path)
	if err != nil {
		return fmt.Errorf("keeping the profiles: %w", err)
	}
	defer file.discard()
	if err := file.keep(string(data) + "\n"); err != nil {
		return fmt.Errorf("keeping the profiles: %w", err)
	}
	return nil
}

// changeProfiles changes the file. A lock on its folder keeps two commands from
// doing so at once, and from renewing one token twice: providers take a refresh
// token but once.
func changeProfiles(change func(*profiles) error) error {
	path, err := profilesPath()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keeping the profiles: %w", err)
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("locking the profiles: %w", err)
	}
	defer folder.Close() //nolint:errcheck // it ends the lock too
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("locking the profiles: %w", err)
	}
	all, err := loadProfiles()
	if err != nil {
		return err
	}
	if err := change(all); err != nil {
		return err
	}
	return all.save()
}

// get returns the profile of a name.
func (p *profiles) get(name string) (profile, error) {
	found, ok := p.Profiles[name]
	if !ok {
		return found, fmt.Errorf("there is no profile %q; sluice profiles list shows those that there are, sluice login makes one", name)
	}
	return found, nil
}

// chosenProfile is the profile that the command uses; one without a server
// means none: nobody has signed in, a data folder was named, or another server.
func (r *remote) chosenProfile() (profile, error) {
	name := first(r.profile, os.Getenv("SLUICE_PROFILE"))
	if name == "" && r.group.PersistentFlags().Changed("data") {
		return profile{}, nil
	}
	all, err := loadProfiles()
	if err != nil {
		return profile{}, err
	}
	if name != "" {
		r.profile = name
		return all.get(name)
	}
	p, ok := all.Profiles[all.Current]
	server := first(r.server, os.Getenv("SLUICE_SERVER"))
	if !ok || server != "" && !sameServer(server, p.Server) {
		return profile{}, nil
	}
	r.profile = all.Current
	return p, nil
}

func sameServer(a, b string) bool {
	plain := func(s string) string { return strings.ToLower(strings.TrimRight(s, "/")) }
	return plain(a) == plain(b)
}

// profileToken is the token of the chosen profile, renewed where it is about to
// end.
func (r *remote) profileToken(p profile) (string, error) {
	if err := p.signedIn(r.profile); err != nil || !p.ends() {
		return p.Token, err
	}
	err := changeProfiles(func(all *profiles) (err error) {
		// Another command may have renewed it, or signed out, while this one waited.
		if p, err = all.get(r.profile); err != nil {
			return err
		}
		if err = p.signedIn(r.profile); err != nil || !p.ends() {
			return err
		}
		if err = p.renew(r.profile); err == nil {
			all.Profiles[r.profile] = p
		}
		return err
	})
	return p.Token, err
}

func (p *profile) signedIn(name string) error {
	if p.Token == "" {
		return fmt.Errorf("you have signed out of %s: run sluice login --profile %s", p.Server, name)
	}
	return nil
}

// ends reports whether the token is about to end.
func (p *profile) ends() bool { return p.OIDC != nil && time.Until(p.OIDC.Expires) <= renewBefore }
