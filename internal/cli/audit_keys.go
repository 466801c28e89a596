package cli

import (
	"github.com/spf13/cobra"

	"sluice/internal/client"
)

func auditKeysCommand(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Show the public keys that the trail is signed with",
		Long: "Show the public keys that the checkpoints of the trail are signed with, the one that signs now last. Keep them where\n" +
			"nobody who can write the trail can: sluice audit verify --key takes what -o json prints.",
		Args: Exactly(),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			list, err := c.TrailKeys(cmd.Context())
			if err != nil {
				return err
			}
			return r.show(cmd, list, "ID KEY FROM UNTIL", func(add func(...any)) {
				for _, k := range list.Keys {
					add(k.ID, k.Key, second(k.Created), maybe(k.Retired, "signs now"))
				}
			})
		}),
	}
	cmd.AddCommand(r.yesFlag(&cobra.Command{
		Use:   "rotate",
		Short: "Sign with a new key from now on; the old one vouches for it and is destroyed",
		Args:  Exactly(),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			if err := r.confirm(cmd, "Sign the trail with a new key? The private key of now is destroyed; keep its public key."); err != nil {
				return err
			}
			list, err := c.RotateTrailKey(cmd.Context())
			if err != nil {
				return err
			}
			return r.say(cmd, list, "The trail is signed with the key %s from now on.", list.Keys[len(list.Keys)-1].ID)
		}),
	}))
	return cmd
}
