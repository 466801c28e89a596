// Package cli is the command line that manages a gateway: endpoints, people,
// policies and the trail. Every command has the same manners: what was asked
// for goes to the standard output, sentences go to the standard error, and
// the exit code is 0 when it worked, 1 when it did not and 2 when it was called
// wrongly.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

// UsageError is an error of whoever called the command, not of the command.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the error itself.
func (e UsageError) Unwrap() error { return e.Err }

func usagef(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return UsageError{err}
}

// Program is what a main function has to say.
type Program struct {
	Version string
	// Commands stand beside those of this package, such as the one that runs the
	// gateway.
	Commands []*cobra.Command
}

// Execute runs one command line and returns its exit code.
func Execute(ctx context.Context, p Program, args []string, in io.Reader, out, errOut io.Writer) int {
	root := p.Root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(errOut, "sluice: %s\n", strings.TrimSpace(err.Error()))
	var usage UsageError
	if !errors.As(err, &usage) {
		return exitFailure
	}
	fmt.Fprintf(errOut, "See: %s --help\n", cmd.CommandPath())
	return exitUsage
}

// Root makes the whole tree of commands.
func (p Program) Root() *cobra.Command {
	root := group("sluice", "An AI gateway: run it, and manage endpoints, people, policies and the trail")
	root.Version = p.Version
	root.SilenceErrors, root.SilenceUsage = true, true
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return asUsage(cmd.ValidateFlagGroups()) }
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return UsageError{err} })
	root.AddCommand(p.Commands...)
	root.AddCommand(
		loginCommand(), logoutCommand(), whoamiCommand(), profilesCommand(),
		endpointsCommand(), tryCommand(), tokensCommand(), usersCommand(), organizationsCommand(), accountsCommand(), sessionsCommand(), credentialsCommand(), vaultCommand(), applyCommand(), exportCommand(), auditCommand(),
		usageCommand(),
		providersCommand(), pricesCommand(), policyCommand(), rolesCommand(), settingsCommand(), statusCommand(), versionCommand(),
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

// Exactly wants the arguments that are named.
func Exactly(names ...string) cobra.PositionalArgs {
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
		Args:  Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "sluice", cmd.Root().Version)
			return err
		},
	}
}
