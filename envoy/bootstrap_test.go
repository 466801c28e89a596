package envoy_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/envoy"
	"sluice/internal/envoytest"
)

var update = flag.Bool("update", false, "write the golden file anew")

func options() envoy.BootstrapOptions {
	return envoy.BootstrapOptions{NodeID: "sluice", AdminSocket: "/run/admin.sock", XDSSocket: "/run/xds.sock", MaxConnections: 500}
}

func TestBootstrapGolden(t *testing.T) {
	b, err := envoy.Bootstrap(options())
	require.NoError(t, err)
	// protojson varies its spacing on purpose.
	var v any
	require.NoError(t, json.Unmarshal(b, &v))
	got, err := json.MarshalIndent(v, "", "  ")
	require.NoError(t, err)
	file := filepath.Join("testdata", "bootstrap.json")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, append(got, '\n'), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(bytes.TrimSpace(want)), string(got))
}

func TestBootstrapNeedsItsSockets(t *testing.T) {
	for _, o := range []envoy.BootstrapOptions{{}, {NodeID: "n", AdminSocket: "/a"}, {NodeID: "n", XDSSocket: "/x"}} {
		_, err := envoy.Bootstrap(o)
		require.ErrorContains(t, err, "needed")
	}
}

// TestBootstrapIsValid has Envoy itself read it.
func TestBootstrapIsValid(t *testing.T) {
	bin := envoytest.Binary(t)
	dir := envoytest.Dir(t)
	o := options()
	o.AdminSocket, o.XDSSocket = filepath.Join(dir, "a.sock"), filepath.Join(dir, "x.sock")
	b, err := envoy.Bootstrap(o)
	require.NoError(t, err)
	file := filepath.Join(dir, "envoy.json")
	require.NoError(t, os.WriteFile(file, b, 0o600))
	out, err := exec.Command(bin, "--mode", "validate", "--disable-hot-restart", "--log-level", "warning", "-c", file).CombinedOutput()
	require.NoError(t, err, string(out))
	require.NotContains(t, string(out), "eprecat", string(out))
}
