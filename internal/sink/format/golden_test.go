package format_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/sink/format"
)

var update = flag.Bool("update", false, "write the files of testdata anew")

// TestGolden holds each format to the file of testdata that shows it.
func TestGolden(t *testing.T) {
	samples := []struct {
		name   string
		record *audit.Record
	}{}
	add := func(name string, r *audit.Record) {
		samples = append(samples, struct {
			name   string
			record *audit.Record
		}{name, r})
	}
	for _, result := range results {
		add("exchange, "+result, exchange(result))
	}
	for _, kind := range []string{audit.KindUpdateEndpoint, "SignIn", "FailSignIn", "UpdateUser", "StartGateway", "ReadAuditRecord", audit.KindCheckpoint, audit.KindRecordsMissing} {
		add("event, "+kind, event(kind))
	}
	for _, name := range []string{config.FormatSluice, config.FormatOCSF, config.FormatCEF} {
		f, known := format.Named(name)
		require.True(t, known)
		var got bytes.Buffer
		for _, s := range samples {
			line, err := f(nil, s.record)
			require.NoError(t, err)
			fmt.Fprintf(&got, "# %s\n%s\n", s.name, line)
		}
		file := "testdata/" + name + ".golden"
		if *update {
			require.NoError(t, os.WriteFile(file, got.Bytes(), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), got.String(), "go test ./internal/sink/format -run TestGolden -update writes it anew")
	}
}
