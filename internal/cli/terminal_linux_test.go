package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sluice/internal/cli"
)

// terminal returns the two ends of a pseudo terminal: what a person types into,
// and what a command reads from.
func terminal(t *testing.T) (person, command *os.File) {
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = person.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	command, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = command.Close() })
	return person, command
}

// typed runs a command before which a person sits who types.
func (g *gateway) typed(text string, args ...string) result {
	g.t.Helper()
	person, command := terminal(g.t)
	_, err := person.WriteString(text)
	require.NoError(g.t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var out, errOut bytes.Buffer
	code := cli.Execute(ctx, cli.Program{}, args, command, &out, &errOut)
	return result{code: code, out: out.String(), err: errOut.String()}
}

func TestDestructionIsConfirmed(t *testing.T) {
	g := newGateway(t)
	at := []string{"--server", g.url, "--data", g.data}
	for _, name := range []string{"alice", "bob"} {
		g.ok("", "users", "create", name)
	}
	no := g.typed("n\n", append([]string{"users", "delete", "alice"}, at...)...)
	assert.Equal(t, 1, no.code)
	assert.Contains(t, no.err, "Delete the user alice? The tokens are revoked")
	assert.Contains(t, no.err, "nothing was changed")
	assert.Equal(t, 0, g.typed("YES\n", append([]string{"users", "delete", "alice"}, at...)...).code)
	yes := g.typed("", append([]string{"users", "delete", "bob", "--yes"}, at...)...)
	assert.Equal(t, 0, yes.code)
	assert.NotContains(t, yes.err, "?")

	keys := g.ok("", "audit", "keys")
	no = g.typed("\n", append([]string{"audit", "keys", "rotate"}, at...)...)
	assert.Equal(t, 1, no.code)
	assert.Contains(t, no.err, "Sign the trail with a new key? The private key of now is destroyed")
	assert.Equal(t, keys, g.ok("", "audit", "keys"))
	assert.Equal(t, 0, g.typed("y\n", append([]string{"audit", "keys", "rotate"}, at...)...).code)
	assert.Equal(t, 0, g.typed("", append([]string{"audit", "keys", "rotate", "-y"}, at...)...).code)
}

func TestLoginAsks(t *testing.T) {
	g := newGateway(t)
	file := g.home()
	token := g.adminToken()
	no := g.typed("n\n", "login", "--server", g.url)
	assert.Equal(t, 1, no.code)
	assert.Contains(t, no.err, cli.Fingerprint(g.certificate))
	assert.NoFileExists(t, file)
	yes := g.typed("y\n"+token+"\n", "login", "--server", g.url)
	require.Equal(t, 0, yes.code, yes.err)
	assert.NotContains(t, yes.out+yes.err, token)
	assert.FileExists(t, file)
}

// A chat goes on until an empty line, and remembers.
func TestTryConverses(t *testing.T) {
	g := newGateway(t)
	g.mux.HandleFunc("POST /v1/chat/completions", g.answerChat)
	g.ok("", "endpoints", "create", "chat", "--type", "llm/v1/chat", "--provider", "practice", "--model", "m")
	r := g.typed("hello\nagain\n\n", "try", "chat", "--server", g.url, "--data", g.data, "--ca", filepath.Join(g.data, "ca.pem"))
	assert.Equal(t, 0, r.code, r.err)
	assert.Equal(t, "1:hello\n3:again\n", r.out)
}
