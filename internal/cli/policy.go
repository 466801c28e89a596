package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
	"sluice/internal/decision"
	"sluice/policies"
)

func policyCommand() *cobra.Command {
	r := &remote{}
	check := &cobra.Command{
		Use:   "check [DIR...]",
		Short: "Compile policy bundles together and run their tests",
		Long:  "Compile the bundles in the folders together and run their tests. Without a folder it is the built-in bundle.",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, dirs []string) error {
			if len(dirs) == 0 {
				dirs = []string{""}
			}
			if err := r.checkOutput(); err != nil {
				return err
			}
			report, err := policies.Check(cmd.Context(), dirs...)
			if err != nil {
				return err
			}
			return r.showCheck(cmd, report)
		},
	}
	status := r.policiesCommand("status", "Show which policies are in force", (*client.Client).Policies)
	reload := r.policiesCommand("reload", "Read the policies again", (*client.Client).ReloadPolicies)
	show := policyShowCommand(r)
	return withRemote(group("policy", "Check policies before they are used, and see which are in force", check, status, show, policyExplainCommand(r), reload), r)
}

func policyShowCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:               "show BUNDLE",
		Short:             "Show one bundle that is in force",
		Args:              Exactly("BUNDLE"),
		ValidArgsFunction: firstArg(r.completeBundles()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			s, err := c.Policies(cmd.Context())
			if err != nil {
				return err
			}
			for _, b := range s.Bundles {
				if b.Name == args[0] {
					return r.show(cmd, b, "", func(add func(...any)) {
						add("name", b.Name)
						add("source", b.Source)
						add("revision", b.Revision)
						add("files", b.Files)
					})
				}
			}
			return noSuch{"bundle", args[0]}
		}),
	}
}

func policyExplainCommand(r *remote) *cobra.Command {
	var in api.PolicyQuestion
	cmd := &cobra.Command{
		Use:               "explain USER ENDPOINT",
		Short:             "Tell whether a user may call an endpoint, and why",
		Long:              "Tell what the policies in force say of a call that a user might make, and why. Nothing is called.",
		Args:              Exactly("USER", "ENDPOINT"),
		ValidArgsFunction: argsInTurn(r.completeUsers(""), r.completeEndpoints()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			in.User, in.EndpointName = args[0], args[1]
			a, err := c.ExplainPolicy(cmd.Context(), in)
			if err != nil {
				return err
			}
			return r.show(cmd, a, "", func(add func(...any)) {
				add("user", a.UserName)
				add("roles", strings.Join(a.Roles, ", "))
				add("endpoint", a.EndpointName)
				add("operation", a.Operation)
				addDecision(add, "sees it", a.View)
				addDecision(add, "may call", a.Invoke)
				add("revision", a.Invoke.Revision)
			})
		}),
	}
	cmd.Flags().StringVar(&in.Operation, "operation", "", "chat, completions, embeddings or native (default: the endpoint's)")
	cmd.Flags().StringVar(&in.Address, "address", "", "IP address that the call comes from")
	complete(cmd, "operation", fixed("chat", "completions", "embeddings", "native"))
	return cmd
}

func addDecision(add func(...any), what string, d decision.Decision) {
	add(what, d.Allow)
	for _, reason := range d.Reasons {
		add("  because", reason.Code+" "+reason.Message)
	}
	for _, name := range sortedKeys(d.Obligations) {
		add("  provided that", name)
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
