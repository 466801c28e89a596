package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
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
			report, err := policies.Check(cmd.Context(), dirs...)
			if err != nil {
				return err
			}
			return r.showCheck(cmd, report)
		},
	}
	check.Flags().StringVarP(&r.output, "output", "o", "table", "table or json")
	status := &cobra.Command{
		Use:   "status",
		Short: "Show which policies are in force",
		Args:  Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			s, err := c.Policies(cmd.Context())
			if err != nil {
				return err
			}
			return r.showPolicies(cmd, s)
		},
	}
	reload := &cobra.Command{
		Use:   "reload",
		Short: "Read the policies again",
		Args:  Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			s, err := c.ReloadPolicies(cmd.Context())
			if err != nil {
				return err
			}
			return r.showPolicies(cmd, s)
		},
	}
	return group("policy", "Check policies before they are used, and see which are in force",
		check, withRemote(status, r), withRemote(reload, r))
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
		add("loaded", s.LoadedAt.Format("2006-01-02 15:04:05"))
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

func statusCommand() *cobra.Command {
	r := &remote{}
	return withRemote(&cobra.Command{
		Use:   "status",
		Short: "Show the state of the gateway",
		Args:  Exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.client()
			if err != nil {
				return err
			}
			s, err := c.Status(cmd.Context())
			if err != nil {
				return err
			}
			return r.show(cmd, s, "PART READY DETAIL", func(add func(...any)) {
				add("sluice", s.Ready, s.Version)
				for _, p := range s.Parts {
					detail := p.Missing
					if detail == "" && p.Detail != nil {
						text, err := json.Marshal(p.Detail)
						if err == nil {
							detail = string(text)
						}
					}
					add(p.Name, p.Ready, detail)
				}
				for _, t := range s.Targets {
					add("target "+t.EndpointName+"/"+t.TargetName, t.State, healthText(t))
				}
			})
		},
	}, r)
}

func healthText(t api.TargetHealth) string {
	text := fmt.Sprintf("%d failures in a row", t.Failures)
	if t.LastCode != "" {
		text += ", the last " + t.LastCode
	}
	if t.LastStatus != 0 {
		text += fmt.Sprintf(" (status %d)", t.LastStatus)
	}
	if t.Until != nil {
		text += ", tried last until " + t.Until.Local().Format("15:04:05")
	}
	return text
}
