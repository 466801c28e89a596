// Command sluice runs the gateway and manages it from a terminal.
//
// Exit codes: 0 it worked, 1 it did not, 2 it was called wrongly.
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"sluice/internal/cli"
)

// version is set by the linker: -X main.version=…
var version = "dev"

func main() {
	program := cli.Program{Version: version, Commands: commands()}
	os.Exit(cli.Execute(context.Background(), program, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// commands are those that run something, beside those of package cli.
func commands() []*cobra.Command {
	return []*cobra.Command{runCommand(), backupCommand(), restoreCommand(), simulateCommand()}
}
