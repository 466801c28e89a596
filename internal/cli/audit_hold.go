package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func auditHoldCommand(r *remote) *cobra.Command {
	return group("hold", "Keep days of the trail from retention, for as long as a case needs them",
		auditHoldAddCommand(r), auditHoldListCommand(r), auditHoldRemoveCommand(r))
}

func auditHoldAddCommand(r *remote) *cobra.Command {
	var h api.NewHold
	var to string
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Keep days of the trail, whatever their age",
		Long: "Keep the days from --from to --to, or from --from on, whatever their age. Days of UTC count, as 2030-01-31. What\n" +
			"retention dropped before does not come back. The hold and its reason are recorded in the trail.",
		Args: Exactly("NAME"),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			if h.From == "" || h.Reason == "" {
				return usagef("--from and --reason are required")
			}
			h.Name = args[0]
			if to != "" {
				h.To = &to
			}
			made, err := c.CreateHold(cmd.Context(), h)
			if err != nil {
				return err
			}
			return r.say(cmd, made, "The hold %s stands, and keeps %s.", made.Name, keptDays(made.Days))
		}),
	}
	fl := cmd.Flags()
	fl.StringVar(&h.From, "from", "", "first day, e.g. 2030-01-31")
	fl.StringVar(&to, "to", "", "last day (default: none, days to come are kept too)")
	fl.StringVar(&h.Reason, "reason", "", "why, e.g. the number of the case")
	return cmd
}

func keptDays(n int) string {
	if n == 1 {
		return "1 day that the trail has"
	}
	return fmt.Sprintf("%d days that the trail has", n)
}

func auditHoldListCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the holds",
		Args:  Exactly(),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			list, err := c.ListHolds(cmd.Context())
			if err != nil {
				return err
			}
			return r.show(cmd, list, "NAME FROM TO DAYS BY CREATED REASON", func(add func(...any)) {
				for _, h := range list {
					add(h.Name, h.From, first(h.To, "open"), h.Days, h.By, minute(h.Created), h.Reason)
				}
			})
		}),
	}
}

func auditHoldRemoveCommand(r *remote) *cobra.Command {
	return r.yesFlag(&cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a hold; old days that only it kept are dropped at once",
		Args:  Exactly("NAME"),

		ValidArgsFunction: firstArg(r.completeHolds()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			if err := r.confirm(cmd, "Remove the hold %s? Days that are older than the retention, and that only it keeps, are dropped.", args[0]); err != nil {
				return err
			}
			if err := c.DeleteHold(cmd.Context(), args[0]); err != nil {
				return err
			}
			return r.say(cmd, map[string]string{"removed": args[0]}, "The hold %s is removed.", args[0])
		}),
	})
}
