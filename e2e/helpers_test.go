package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
)

const hello = `{"messages":[{"role":"user","content":"hello"}]}`

// long reports whether the series run at full length.
func long() bool { return os.Getenv("SLUICE_LONG") != "" }

// times is how often a series repeats: short in make test.
func times(short, full int) int {
	if long() {
		return full
	}
	return short
}

// verify proves the trail of a gateway that may run or not.
func verify(t *testing.T, g *rig.Gateway) string {
	t.Helper()
	out, err := exec.Command(rig.Binary(t), "audit", "verify", "--data", g.Data).CombinedOutput()
	require.NoError(t, err, "audit verify: %s", out)
	return string(out)
}

// record is what the trail keeps of one exchange, as REST shows it.
func record(t *testing.T, g *rig.Gateway, id string) map[string]any {
	t.Helper()
	return g.Admin("GET", "/api/sluice/v1/audit/"+id, "").JSON(t)
}

func outcome(t *testing.T, r map[string]any) map[string]any {
	t.Helper()
	o, ok := r["outcome"].(map[string]any)
	require.True(t, ok, "the record has no outcome: %v", r)
	return o
}

// python is the interpreter with the real clients, made by `make tools`.
func python(t *testing.T) string {
	t.Helper()
	bin, err := filepath.Abs("../.tools/clients/bin/python")
	require.NoError(t, err)
	if _, err := os.Stat(bin); err != nil {
		t.Fatal("the Python clients are missing: run `make tools`")
	}
	return bin
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// eventually waits for something that another process does in its own time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited 90 s for this and it did not come: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
