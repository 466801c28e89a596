package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/client"
	"sluice/policies"
)

func policyCommand() *cobra.Command {
	r := &remote{}
	status := r.policiesCommand("status", "Show which policies are in force", (*client.Client).Policies)
	reload := r.policiesCommand("reload", "Read the policies again", (*client.Client).ReloadPolicies)
	show := policyShowCommand(r)
	return withRemote(group("policy", "Check policies before they are used, and see which are in force", policyCheckCommand(r), status, show,
		policyExplainCommand(r), policyAccessCommand(r), reload), r)
}

func policyCheckCommand(r *remote) *cobra.Command {
	var configured bool
	check := &cobra.Command{
		Use:   "check [DIR...]",
		Short: "Compile policy bundles together and run their tests",
		Long: "Compile the bundles in the folders together and run their tests, on this machine. Without a folder it is the\n" +
			"built-in bundle. With --configured the gateway does it with the bundles of its configuration, as they are by\n" +
			"now, and puts nothing in force.",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, dirs []string) error {
			if err := r.checkOutput(); err != nil {
				return err
			}
			if configured {
				if len(dirs) > 0 {
					return usagef("--configured takes no folders")
				}
				return r.run(r.checkConfigured)(cmd, dirs)
			}
			if len(dirs) == 0 {
				dirs = []string{""}
			}
			report, err := policies.Check(cmd.Context(), dirs...)
			if err != nil {
				return err
			}
			return r.showCheck(cmd, report)
		},
	}
	check.Flags().BoolVar(&configured, "configured", false, "what the gateway is configured with")
	return check
}

func (r *remote) checkConfigured(cmd *cobra.Command, c *client.Client, _ []string) error {
	found, err := c.CheckPolicies(cmd.Context())
	if err != nil {
		return err
	}
	if found.Report != nil {
		err = r.showCheck(cmd, *found.Report)
	}
	if err == nil && !found.OK {
		err = errors.New(readable(found.Error))
	}
	return err
}

func policyShowCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "show BUNDLE [FILE]",
		Short: "List the files of a bundle that is in force, or print one",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return usagef("%s takes BUNDLE and, to print one, FILE", cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: argsInTurn(r.completeBundles(), r.completePolicyFiles()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			bundle, err := c.PolicyFiles(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return r.show(cmd, bundle, "FILE BYTES TEST", func(add func(...any)) {
					for _, f := range bundle.Files {
						add(f.Path, len(f.Text), f.Test)
					}
				})
			}
			for _, f := range bundle.Files {
				if f.Path == args[1] {
					if r.output != outputTable {
						return r.say(cmd, f, "%s", f.Text)
					}
					_, err := fmt.Fprint(cmd.OutOrStdout(), readable(f.Text))
					return err
				}
			}
			return noSuch{"file of " + args[0], args[1]}
		}),
	}
}

// policiesCommand shows the policies after it did something.
func (r *remote) policiesCommand(use, short string, do func(*client.Client, context.Context) (policies.Status, error)) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  Exactly(),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			s, err := do(c, cmd.Context())
			if err != nil {
				return err
			}
			return r.showPolicies(cmd, s)
		}),
	}
}

func (r *remote) showCheck(cmd *cobra.Command, report policies.Report) error {
	err := r.show(cmd, report, "", func(add func(...any)) {
		for _, b := range report.Bundles {
			add("bundle", b.Name, b.Revision, fmt.Sprintf("%d files", b.Files))
		}
		for _, t := range report.Tests {
			if t.Outcome != "passed" {
				add(t.Outcome, t.Name, t.Location, t.Message)
			}
		}
		add("tests", fmt.Sprintf("%d passed, %d failed, %d skipped", report.Passed, report.Failed, report.Skipped))
		add("coverage", fmt.Sprintf("%.1f%%", report.Coverage))
	})
	if err == nil && report.Failed > 0 {
		err = fmt.Errorf("%d tests failed", report.Failed)
	}
	return err
}

func (r *remote) showPolicies(cmd *cobra.Command, s policies.Status) error {
	return r.show(cmd, s, "", func(add func(...any)) {
		add("revision", s.Revision)
		add("loaded", second(s.LoadedAt))
		for _, b := range s.Bundles {
			add("bundle", b.Name, b.Source, b.Revision)
		}
		for _, line := range strings.Split(s.LastError, "\n") {
			if line = strings.TrimSpace(line); line != "" {
				add("refused", line)
			}
		}
	})
}
