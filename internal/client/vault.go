package client

import (
	"context"
	"net/http"

	"sluice/internal/admin/api"
)

// Vault returns the state of the vault.
func (c *Client) Vault(ctx context.Context) (out api.Vault, err error) {
	err = c.call(ctx, http.MethodGet, own+"/vault", nil, nil, &out)
	return out, err
}

// MigrateVault begins to move all values to the vault of the kind, for which the
// gateway must be configured; Vault tells how far it is.
func (c *Client) MigrateVault(ctx context.Context, to string) (out api.Vault, err error) {
	err = c.call(ctx, http.MethodPost, own+"/vault/migrate", nil, api.VaultMigration{To: to}, &out)
	return out, err
}

// RotateVault begins to seal all values with a new key; Vault tells how far it
// is.
func (c *Client) RotateVault(ctx context.Context) (out api.Vault, err error) {
	err = c.call(ctx, http.MethodPost, own+"/vault/rotate", nil, nil, &out)
	return out, err
}
