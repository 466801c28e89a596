package cli

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func statusCommand() *cobra.Command {
	r := &remote{}
	return withRemote(&cobra.Command{
		Use:   "status",
		Short: "Show the state of the gateway",
		Args:  Exactly(),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			s, err := c.Status(cmd.Context())
			if err != nil {
				return err
			}
			return r.show(cmd, s, "PART READY DETAIL", func(add func(...any)) {
				add("sluice", s.Ready, s.Version)
				for _, text := range s.Warnings {
					add("warning", "", text)
				}
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
		}),
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
