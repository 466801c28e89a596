// Command sluice runs the gateway and manages it from a terminal.
//
// Exit codes: 0 it worked, 1 it did not, 2 it was called wrongly.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

// version is set by the linker: -X main.version=…
var version = "dev"

// usageError is an error of whoever called the command, not of the command.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	os.Exit(execute(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// execute runs one command line and returns its exit code.
func execute(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(errOut, "sluice: %s\n", strings.TrimSpace(err.Error()))
	var usage usageError
	if !errors.As(err, &usage) {
		return exitFailure
	}
	fmt.Fprintf(errOut, "See: %s --help\n", cmd.CommandPath())
	return exitUsage
}

func rootCommand() *cobra.Command {
	root := group("sluice", "An AI gateway: run it, and manage endpoints, people, policies and the trail")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		runCommand(), endpointsCommand(), tokensCommand(), usersCommand(), organizationsCommand(),
		applyCommand(), auditCommand(), providersCommand(), pricesCommand(), policyCommand(), statusCommand(), simulateCommand(), versionCommand(),
	)
	return root
}

// group makes a command that only holds others.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return usagef("%q is not a command of %s", args[0], cmd.CommandPath())
		},
	}
	cmd.AddCommand(children...)
	return cmd
}

// exactly wants the arguments that are named.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		if len(names) == 0 {
			return usagef("%s takes no arguments", cmd.CommandPath())
		}
		return usagef("%s takes %s", cmd.CommandPath(), strings.Join(names, " "))
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "sluice", version)
			return err
		},
	}
}
