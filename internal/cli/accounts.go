package cli

import (
	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
)

// accountsCommand is about service accounts: users that are machines.
func accountsCommand() *cobra.Command {
	r := &remote{}
	t := userThing("ACCOUNT", "service account", api.KindServiceAccount)
	cmd := group("service-accounts", "List, create and change service accounts, and their tokens",
		usersListCommand(r, api.KindServiceAccount, "List service accounts"), showCommand(r, t),
		usersCreateCommand(r, api.KindServiceAccount), usersUpdateCommand(r, t), deleteCommand(r, t),
		group("tokens", "List, create and revoke the tokens of a service account",
			tokensListCommand(r, t), tokensCreateCommand(r, t), tokensRevokeCommand(r)))
	cmd.Aliases = []string{"accounts"}
	return withRemote(cmd, r)
}
