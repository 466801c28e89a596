package cli

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func credentialsCommand() *cobra.Command {
	r := &remote{}
	return withRemote(group("credentials", "Keep keys of providers that many endpoints share, and try keys",
		credentialsListCommand(r), credentialsShowCommand(r), credentialsCreateCommand(r), credentialsRotateCommand(r),
		credentialsRenameCommand(r), credentialsDeleteCommand(r), credentialsTestCommand(r)), r)
}

func credentialsListCommand(r *remote) *cobra.Command {
	return listCommand(r, listing[api.Credential]{
		short:  "List stored credentials, without their values",
		search: "a name, id or provider",
		sorts:  []string{"name", "provider", "created", "rotated", "usedByCount"},
		header: "NAME ID PROVIDER VALUES ENDPOINTS ROTATED STATE",
		fetch: func(cmd *cobra.Command, c *client.Client, _ []string, q url.Values) ([]api.Credential, int, error) {
			list, err := c.ListCredentials(cmd.Context(), q)
			return list.Credentials, list.Metadata.TotalCount, err
		},
		cells: func(k api.Credential) []any {
			return []any{k.Name, k.ID, k.Provider, strings.Join(k.Secrets, " "), k.UsedByCount, minute(k.Rotated), credentialState(k)}
		},
	})
}

func credentialState(k api.Credential) string {
	if k.Problem != "" {
		return k.Problem
	}
	return "ok"
}

func credentialsShowCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:               "show NAME",
		Aliases:           []string{"get"},
		Short:             "Show a stored credential, without its values, and which endpoints use it",
		Args:              Exactly("NAME"),
		ValidArgsFunction: firstArg(r.completeCredentials()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			id, err := one(credentialIDs(cmd.Context(), c, args))
			if err != nil {
				return err
			}
			k, err := c.GetCredential(cmd.Context(), id)
			if err != nil {
				return err
			}
			return r.showCredential(cmd, k)
		}),
	}
}

func (r *remote) showCredential(cmd *cobra.Command, k api.Credential) error {
	return r.show(cmd, k, "", func(add func(...any)) {
		add("name", k.Name)
		add("id", k.ID)
		add("provider", k.Provider)
		for _, name := range k.Secrets {
			add(name, "(set, not shown)")
		}
		add("state", credentialState(k))
		used := strings.Join(k.UsedBy, ", ")
		if more := k.UsedByCount - len(k.UsedBy); more > 0 {
			used += fmt.Sprintf(" and %d more", more)
		}
		add("used by", used)
		add("created", second(k.Created))
		add("rotated", second(k.Rotated))
	})
}

func credentialsCreateCommand(r *remote) *cobra.Command {
	var m model
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Store a credential",
		Args:  Exactly("NAME"),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			if m.provider == "" || len(m.secrets) == 0 {
				return usagef("--provider and --secret are required")
			}
			values, err := secrets(cmd, m.secrets)
			if err != nil {
				return err
			}
			k, err := c.CreateCredential(cmd.Context(), api.NewCredential{Name: args[0], Provider: m.provider, Values: values})
			if err != nil {
				return err
			}
			return r.showCredential(cmd, k)
		}),
	}
	fl := cmd.Flags()
	fl.StringVar(&m.provider, "provider", "", "provider that takes the keys, e.g. openai")
	fl.StringArrayVar(&m.secrets, "secret", nil, "key=file:PATH, key=env:NAME or key=- (repeatable)")
	complete(cmd, "provider", r.completeProviders())
	complete(cmd, "secret", r.completeFields(true))
	return cmd
}

func credentialsRotateCommand(r *remote) *cobra.Command {
	var given, remove []string
	cmd := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Give a credential new values, which are in force for every endpoint at once",
		Long:  "Give a credential new values, which are in force for every endpoint at once. Values that are not named stay.",
		Args:  Exactly("NAME"),

		ValidArgsFunction: firstArg(r.completeCredentials()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			if len(given)+len(remove) == 0 {
				return usagef("--secret or --remove is required")
			}
			values, err := secrets(cmd, given)
			if err != nil {
				return err
			}
			for _, name := range remove {
				values[name] = ""
			}
			return r.changeCredential(cmd, c, args[0], api.CredentialPatch{Values: &values})
		}),
	}
	cmd.Flags().StringArrayVar(&given, "secret", nil, "key=file:PATH, key=env:NAME or key=- (repeatable)")
	cmd.Flags().StringArrayVar(&remove, "remove", nil, "name of a value to take away (repeatable)")
	return cmd
}

func credentialsRenameCommand(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:               "rename NAME NEW",
		Short:             "Rename a credential",
		Args:              Exactly("NAME", "NEW"),
		ValidArgsFunction: firstArg(r.completeCredentials()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			return r.changeCredential(cmd, c, args[0], api.CredentialPatch{Name: &args[1]})
		}),
	}
}

func (r *remote) changeCredential(cmd *cobra.Command, c *client.Client, name string, patch api.CredentialPatch) error {
	id, err := one(credentialIDs(cmd.Context(), c, []string{name}))
	if err != nil {
		return err
	}
	ctx := unlessChanged(cmd.Context(), c.GetCredential, id)
	k, err := c.UpdateCredential(ctx, id, patch)
	if err != nil {
		return err
	}
	return r.showCredential(cmd, k)
}

func credentialsDeleteCommand(r *remote) *cobra.Command {
	return r.yesFlag(&cobra.Command{
		Use:               "delete NAME",
		Short:             "Delete a credential that no endpoint uses",
		Args:              Exactly("NAME"),
		ValidArgsFunction: firstArg(r.completeCredentials()),
		RunE: r.run(func(cmd *cobra.Command, c *client.Client, args []string) error {
			id, err := one(credentialIDs(cmd.Context(), c, args))
			if err != nil {
				return err
			}
			ctx := unlessChanged(cmd.Context(), c.GetCredential, id)
			if err := r.confirm(cmd, "Delete the credential %s?", args[0]); err != nil {
				return err
			}
			if err := c.DeleteCredential(ctx, id); err != nil {
				return err
			}
			return r.say(cmd, map[string]string{"deleted": args[0]}, "The credential %s is deleted.", args[0])
		}),
	})
}
