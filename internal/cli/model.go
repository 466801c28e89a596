package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/client"
)

// model are the flags that describe a target: a provider, its model, how to
// reach it and with which key.
type model struct {
	provider, name, credential string
	set, secrets               []string
}

func (m *model) flags(cmd *cobra.Command, r *remote) {
	fl := cmd.Flags()
	fl.StringVar(&m.provider, "provider", "", "provider of the model, e.g. openai")
	fl.StringVar(&m.name, "model", "", "the provider's name of the model")
	fl.StringArrayVar(&m.set, "set", nil, "parameter of the provider, key=value (repeatable)")
	fl.StringArrayVar(&m.secrets, "secret", nil, "key of the provider: key=file:PATH, key=env:NAME or key=- (repeatable)")
	fl.StringVar(&m.credential, "credential", "", "name or id of a stored credential, in place of --secret")
	complete(cmd, "provider", r.completeProviders())
	complete(cmd, "model", r.completeModels())
	complete(cmd, "set", r.completeFields(false))
	complete(cmd, "secret", r.completeFields(true))
	complete(cmd, "credential", r.completeCredentials())
}

func (m *model) config(cmd *cobra.Command) (map[string]string, error) {
	config, err := parameters("set", m.set)
	if err != nil {
		return nil, err
	}
	keys, err := secrets(cmd, m.secrets)
	for k, v := range keys {
		config[k] = v
	}
	return config, err
}

// credentialID is the id of the credential that was named; "" for none.
func (m *model) credentialID(ctx context.Context, c *client.Client) (string, error) {
	return one(credentialIDs(ctx, c, []string{m.credential}))
}

// newCredential is the credential that takes the place of the present one; nil
// where --credential was not given, and "" where it was given empty.
func (m *model) newCredential(cmd *cobra.Command, c *client.Client) (*string, error) {
	if !cmd.Flags().Changed("credential") {
		return nil, nil
	}
	id, err := m.credentialID(cmd.Context(), c)
	return &id, err
}

// changedConfig are the parameters that a provider has now with those that
// --set and --secret name in place: REST replaces them all. nil where none is
// named.
func (m *model) changedConfig(cmd *cobra.Command, provider string, now map[string]string) (*map[string]string, error) {
	if len(m.set) == 0 && len(m.secrets) == 0 {
		return nil, nil
	}
	config, err := m.config(cmd)
	if err != nil {
		return nil, err
	}
	if m.provider == "" || strings.EqualFold(m.provider, provider) {
		for k, v := range now {
			if _, given := config[k]; !given {
				config[k] = v
			}
		}
	}
	return &config, nil
}

// addConfig shows parameters, and the names of keys.
func addConfig(add func(...any), config map[string]string, secrets []string, credential string) {
	for _, key := range sortedKeys(config) {
		add(key, config[key])
	}
	for _, key := range secrets {
		add(key, "(set, not shown)")
	}
	if credential != "" {
		add("credential", credential)
	}
}

// credentialName is the name of a stored credential, and its id to those who may
// not read it.
func credentialName(ctx context.Context, c *client.Client, id string) string {
	return named([]string{id}, func(id string) (string, error) {
		if id == "" {
			return "", nil
		}
		credential, err := c.GetCredential(ctx, id)
		return credential.Name, err
	})[0]
}
