package envoy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

// ErrNotFound is returned by Find when there is no Envoy in any of the places.
var ErrNotFound = errors.New("no Envoy " + Version + " was found: run `make tools`, " +
	"or name one with --envoy-bin or ENVOY_BIN")

// ErrVersion is returned by Find when an Envoy is there but is not Version.
var ErrVersion = errors.New("wrong version of Envoy")

// Find returns the path of an Envoy of the pinned version. It looks at, in
// this order: hint (the flag --envoy-bin), the environment variable ENVOY_BIN,
// .tools/envoy under the working folder and under the folder of this program
// and the one above it, and the PATH. A place that was named by hint or
// ENVOY_BIN is not passed over: if it does not hold the right Envoy, that is
// the error.
func Find(hint string) (string, error) {
	if hint != "" {
		return checked(hint, "--envoy-bin")
	}
	if bin := os.Getenv("ENVOY_BIN"); bin != "" {
		return checked(bin, "ENVOY_BIN")
	}
	for _, p := range toolPlaces() {
		if info, err := os.Stat(p); err == nil && !info.IsDir() {
			return checked(p, "make tools")
		}
	}
	if p, err := exec.LookPath("envoy"); err == nil {
		return checked(p, "PATH")
	}
	return "", ErrNotFound
}

// toolPlaces lists where tools/fetch-envoy may have put it.
func toolPlaces() []string {
	var places []string
	add := func(dir string) { places = append(places, filepath.Join(dir, ".tools", "envoy")) }
	if dir, err := os.Getwd(); err == nil {
		add(dir)
	}
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		add(filepath.Dir(exe))
		add(filepath.Dir(filepath.Dir(exe)))
	}
	return places
}

// checked returns the absolute path when the binary is of the wanted version.
func checked(path, origin string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("finding Envoy by %s: %w", origin, err)
	}
	got, err := binaryVersion(abs)
	if err != nil {
		return "", fmt.Errorf("asking the Envoy named by %s for its version: %w", origin, err)
	}
	if got != Version {
		return "", fmt.Errorf("%w: %s (from %s) is %s, Sluice needs %s; run `make tools` to get it",
			ErrVersion, abs, origin, got, Version)
	}
	return abs, nil
}

// Envoy prints "envoy  version: <commit>/<version>/<clean>/<type>/<tls>".
var versionLine = regexp.MustCompile(`version: [0-9a-f]+/([^/]+)/`)

// versionTimeout is generous: a loaded machine reads 100 MB from disk first.
const versionTimeout = 30 * time.Second

func binaryVersion(path string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), versionTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("running %s --version: %w", path, err)
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("%s --version did not answer as Envoy does", path)
	}
	return string(m[1]), nil
}
