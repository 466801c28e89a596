package keycloak_test

import (
	"bufio"
	"bytes"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
)

// signInOnTheCommandLine goes both ways of sluice login --oidc: a code for a
// browser elsewhere, and a browser on the same machine.
func signInOnTheCommandLine(t *testing.T, k *rig.Keycloak) {
	g := rig.Start(t, k.Options(""))
	home := t.TempDir()
	sluice := func(args ...string) *exec.Cmd {
		cmd := exec.Command(rig.Binary(t), args...)
		cmd.Dir = home
		cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+home, "DISPLAY=", "WAYLAND_DISPLAY=", "SLUICE_TOKEN=", "SLUICE_SERVER=")
		return cmd
	}
	for _, way := range []string{"--device", "--browser"} {
		t.Run(way, func(t *testing.T) {
			cmd := sluice("login", "--server", g.URL, "--ca", g.CAFile, "--oidc", way)
			var out bytes.Buffer
			cmd.Stdout = &out
			said, err := cmd.StderrPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			var all strings.Builder
			lines := bufio.NewScanner(said)
			for lines.Scan() {
				all.WriteString(lines.Text() + "\n")
				if address := strings.TrimSuffix(lines.Text(), "."); strings.HasPrefix(address, "http") {
					approve(t, address, "ann")
				}
			}
			require.NoError(t, cmd.Wait(), all.String())
			require.Contains(t, out.String(), "as ann")
			who, err := sluice("whoami").CombinedOutput()
			require.NoError(t, err, "%s", who)
			require.Regexp(t, `(?m)^signed in with +jwt$`, string(who))
		})
	}
}

var formAction = regexp.MustCompile(`<form[^>]* action="([^"]+)"`)

// approve does what a person does in a browser: signs in, and says yes.
func approve(t *testing.T, address, user string) {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar}
	resp, err := browser.Get(address)
	for range 3 {
		require.NoError(t, err)
		page, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		_ = resp.Body.Close()
		action := formAction.FindSubmatch(page)
		if action == nil {
			return
		}
		to, err := resp.Request.URL.Parse(html.UnescapeString(string(action[1])))
		require.NoError(t, err)
		fields := url.Values{"username": {user}, "password": {user + "-password"}, "accept": {"Yes"}}
		for _, hidden := range regexp.MustCompile(`<input type="hidden" name="code" value="([^"]*)"`).FindAllSubmatch(page, 1) {
			fields.Set("code", string(hidden[1]))
		}
		resp, err = browser.PostForm(to.String(), fields)
		require.NoError(t, err)
	}
}
