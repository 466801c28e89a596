package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func auditHoldCommand(r *remote) *cobra.Command {
	return group("hold", "Keep days of the trail from retention, for as long as a case needs them",
		auditHoldAddCommand(r), auditHoldListCommand(r), auditHoldRemoveCommand(r), auditHoldSetCommand(r))
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
			if list.Doubt != "" {
				fmt.Fprintln(cmd.ErrOrStderr(), printable(list.Doubt), "Set all that there are to be: sluice audit hold set FILE.")
			}
			return r.show(cmd, list.Holds, "NAME FROM TO DAYS BY CREATED REASON", func(add func(...any)) {
				for _, h := range list.Holds {
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

func auditHoldSetCommand(r *remote) *cobra.Command {
	return r.yesFlag(&cobra.Command{
		Use:   "set FILE",
		Short: "Set all holds that there are to be, in place of those that there are",
		Long: "Set all holds that there are to be, in place of those that there are, from a file; - is the standard input. It has a JSON list\n" +
			"as sluice audit hold list -o json prints it and holds.json in the folder of the trail has it; [] is none.\n\n" +
			"This ends a doubt about the holds, in which no day of the trail is dropped. What was held before is in the records:\n" +
			"sluice audit search --kind CreateHold,DeleteHold,SetHolds --since 3650d.",
		Args: Exactly("FILE"),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			var text []byte
			var err error
			if args[0] == "-" {
				text, err = io.ReadAll(cmd.InOrStdin())
			} else {
				text, err = os.ReadFile(args[0])
			}
			if err != nil {
				return fmt.Errorf("reading the holds: %w", err)
			}
			var list []api.Hold
			if err := json.Unmarshal(text, &list); err != nil {
				return fmt.Errorf("reading the holds in %s: want a JSON list as sluice audit hold list -o json prints it: %w", args[0], err)
			}
			in := api.NewHoldList{Holds: []api.NewHold{}}
			for _, h := range list {
				given := api.NewHold{Name: h.Name, From: h.From, Reason: h.Reason}
				if h.To != "" {
					given.To = &h.To
				}
				in.Holds = append(in.Holds, given)
			}
			err = r.confirm(cmd, "Set %d holds in place of all that there are? Days that are older than the retention, and that none of them keeps, are dropped.", len(in.Holds))
			if err != nil {
				return err
			}
			set, err := c.SetHolds(cmd.Context(), in)
			if err != nil {
				return err
			}
			return r.say(cmd, set.Holds, "%d holds stand.", len(set.Holds))
		}),
	})
}
