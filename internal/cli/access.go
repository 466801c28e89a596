package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func policyExplainCommand(r *remote) *cobra.Command {
	var in api.AccessQuestion
	cmd := &cobra.Command{
		Use:               "explain USER ENDPOINT",
		Short:             "Tell whether a user may call an endpoint, and why",
		Long:              "Tell what the policies in force say of a call that a user might make, and why. Nothing is called.",
		Args:              Exactly("USER", "ENDPOINT"),
		ValidArgsFunction: argsInTurn(r.completeUsers(""), r.completeEndpoints()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			in.User, in.EndpointName = args[0], args[1]
			found, err := c.PolicyAccess(cmd.Context(), in)
			if err != nil {
				return err
			}
			if len(found.Answers) != 1 {
				return fmt.Errorf("the gateway gave %d answers to a question about one user and one endpoint", len(found.Answers))
			}
			return r.showAnswer(cmd, found)
		}),
	}
	accessFlags(cmd, &in)
	return cmd
}

// accessFlags are those of every question: what the call is like.
func accessFlags(cmd *cobra.Command, in *api.AccessQuestion) {
	cmd.Flags().StringVar(&in.Operation, "operation", "", "chat, completions, embeddings or native (default: the endpoint's)")
	cmd.Flags().StringVar(&in.Address, "address", "", "IP address that the call comes from")
	complete(cmd, "operation", fixed("chat", "completions", "embeddings", "native"))
}

// showAnswer shows the one answer that there is.
func (r *remote) showAnswer(cmd *cobra.Command, found api.AccessAnswers) error {
	return r.show(cmd, found, "", func(add func(...any)) {
		a := found.Answers[0]
		add("user", a.UserName)
		add("roles", strings.Join(a.Roles, ", "))
		add("endpoint", a.EndpointName)
		add("operation", a.Operation)
		add("sees it", a.Sees)
		add("may call", a.Allow)
		for _, reason := range a.Reasons {
			add("  because", reason.Code+" "+reason.Message)
		}
		for _, name := range sortedKeys(a.Obligations) {
			add("  provided that", name)
		}
		if a.Hindrance != "" {
			add("  but", a.Hindrance)
		}
		add("revision", found.Revision)
	})
}

func policyAccessCommand(r *remote) *cobra.Command {
	var in api.AccessQuestion
	var caller api.AccessCaller
	var organizations []string
	cmd := &cobra.Command{
		Use:   "access",
		Short: "List who may call an endpoint, or what a user may call",
		Long: "List who may call an endpoint, or what a user, or somebody who need not exist, may call. Nothing is called. Where\n" +
			"neither --user nor --role, --org or --project is given it is every user, without --endpoint every endpoint.",
		Args: Exactly(),
		RunE: func(cmd *cobra.Command, args []string) error {
			invented := len(caller.Roles) > 0 || len(organizations) > 0 || caller.Project != ""
			if in.User != "" && invented {
				return usagef("give --user, or --role, --org and --project of somebody who need not exist")
			}
			if in.User == "" && in.EndpointName == "" && !invented {
				return usagef("give --user, --endpoint, or --role, --org or --project")
			}
			return r.run(func(cmd *cobra.Command, c *client.Client, _ []string) (err error) {
				if invented {
					if caller.OrganizationIDs, err = organizationIDs(cmd.Context(), c, organizations); err != nil {
						return err
					}
					in.Caller = &caller
				}
				answers, err := c.PolicyAccess(cmd.Context(), in)
				if err != nil {
					return err
				}
				return r.showAccess(cmd, answers)
			})(cmd, args)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&in.User, "user", "", "name or id of a user")
	fl.StringVar(&in.EndpointName, "endpoint", "", "name of an endpoint")
	fl.StringArrayVar(&caller.Roles, "role", nil, "role of somebody (repeatable)")
	fl.StringArrayVar(&organizations, "org", nil, "name or id of an organization of somebody (repeatable)")
	fl.StringVar(&caller.Project, "project", "", "project of somebody's token")
	accessFlags(cmd, &in)
	complete(cmd, "user", r.completeUsers(""))
	complete(cmd, "endpoint", r.completeEndpoints())
	complete(cmd, "org", r.completeOrganizations())
	complete(cmd, "role", r.completeRoles())
	return cmd
}

func (r *remote) showAccess(cmd *cobra.Command, a api.AccessAnswers) error {
	err := r.show(cmd, a, "USER ENDPOINT ALLOWED WHY", func(add func(...any)) {
		for _, one := range a.Answers {
			why := one.Hindrance
			if why == "" && len(one.Reasons) > 0 {
				why = first(one.Reasons[0].Message, one.Reasons[0].Code)
			}
			add(one.UserName, one.EndpointName, one.Allow, why)
		}
	})
	if err == nil && r.output == outputTable {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d may.\n", a.Allowed, a.Total)
		if len(a.Answers) < a.Total {
			fmt.Fprintf(cmd.ErrOrStderr(), "The first %d are shown.\n", len(a.Answers))
		}
	}
	return err
}
