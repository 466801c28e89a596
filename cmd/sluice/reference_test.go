package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"sluice/internal/cli"
)

var update = flag.Bool("update", false, "write docs/cli-reference.md anew")

const referenceFile = "../../docs/cli-reference.md"

// TestReference holds the reference of the command line to the command line.
func TestReference(t *testing.T) {
	program := cli.Program{Version: "dev", Commands: commands()}
	root := program.Root()
	root.InitDefaultCompletionCmd()
	var b strings.Builder
	b.WriteString("# Every command\n\nMade from the command line itself: `go test ./cmd/sluice -run TestReference -update` writes it anew. " +
		"[cli.md](cli.md) says how\nthey hang together, and what the flags mean that all commands share that speak to a gateway:\n\n")
	shared := map[string]bool{}
	whoami, _, err := root.Find([]string{"whoami"})
	require.NoError(t, err)
	whoami.PersistentFlags().VisitAll(func(f *pflag.Flag) {
		shared[f.Name] = true
		b.WriteString(flagLine(f))
	})
	describe(&b, root, shared)
	if *update {
		require.NoError(t, os.WriteFile(referenceFile, []byte(b.String()), 0o644))
	}
	written, err := os.ReadFile(referenceFile)
	require.NoError(t, err)
	require.Equal(t, string(written), b.String(), "run: go test ./cmd/sluice -run TestReference -update")
}

func describe(b *strings.Builder, cmd *cobra.Command, shared map[string]bool) {
	for _, child := range cmd.Commands() {
		if child.Hidden || child.Name() == "help" {
			continue
		}
		if !child.HasSubCommands() {
			fmt.Fprintf(b, "\n## %s\n\n", strings.TrimSuffix(child.UseLine(), " [flags]"))
			about := child.Long
			if about == "" || child.Parent().Name() == "completion" {
				about = child.Short
			}
			fmt.Fprintf(b, "%s.\n", strings.TrimSuffix(strings.TrimSpace(about), "."))
			first := true
			child.Flags().VisitAll(func(f *pflag.Flag) {
				if shared[f.Name] && child.LocalNonPersistentFlags().Lookup(f.Name) == nil || f.Hidden || f.Name == "help" {
					return
				}
				if first {
					b.WriteString("\n")
				}
				first = false
				b.WriteString(flagLine(f))
			})
		}
		describe(b, child, shared)
	}
}

func flagLine(f *pflag.Flag) string {
	name, usage := pflag.UnquoteUsage(f)
	line := "- `--" + f.Name
	if f.Shorthand != "" {
		line = "- `-" + f.Shorthand + "`, `--" + f.Name
	}
	if name != "" {
		line += " " + strings.TrimSuffix(strings.ToUpper(name), "ARRAY")
	}
	line += "`: " + usage
	if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "[]" && f.DefValue != "0s" {
		line += " (default " + f.DefValue + ")"
	}
	return strings.ReplaceAll(line, "<data>", "DATA") + "\n"
}
