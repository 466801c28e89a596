package admin

import (
	"context"
	"errors"
	"net/http"

	"sluice/extproc/dialect"
	"sluice/internal/admin/api"
	"sluice/internal/keeper"
	"sluice/internal/vault"
)

// Vault tells the state of the vault and moves values in it.
type Vault interface {
	Status() (api.Vault, error)
	// Start begins a migration or rotation (see keeper.Keeper).
	Start(ctx context.Context, kind, to string) error
}

// readVault is GET /api/sluice/v1/vault.
func (s *server) readVault(c *call) error {
	st, err := s.Vault.Status()
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, st)
}

// migrateVault is POST /api/sluice/v1/vault/migrate.
func (s *server) migrateVault(c *call) error {
	var in api.VaultMigration
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.To == "" {
		return badRequest("missing_field", "to", "The field to is required: the kind of vault that the gateway is configured for.")
	}
	return s.startVault(c, keeper.EventMigrate, api.VaultMigrate, in.To)
}

// rotateVault is POST /api/sluice/v1/vault/rotate.
func (s *server) rotateVault(c *call) error {
	return s.startVault(c, keeper.EventRotate, api.VaultRotate, "")
}

// startVault records that the job begins, begins it, and replies with the state;
// the job goes on after the reply.
func (s *server) startVault(c *call, event, kind, to string) error {
	before, err := s.Vault.Status()
	if err != nil {
		return err
	}
	ev := c.event(event, "vault", before.Key, before.Kind, nil)
	ev.Metadata = map[string]string{"step": "started"}
	err = s.change(c, func() error { return s.Vault.Start(c.ctx(), kind, to) }, ev)
	switch {
	case errors.Is(err, keeper.ErrBusy):
		return badRequest("in_progress", "", "%s.", sentence(err))
	case errors.Is(err, keeper.ErrTarget):
		return badRequest("not_configured", "to", "%s.", sentence(err))
	case errors.Is(err, vault.ErrNotRotatable):
		return badRequest("not_rotatable", "", "%s.", sentence(err))
	case err != nil:
		return err
	}
	return s.readVault(c)
}

// vaultUnavailable tells that the vault did not do its part.
func vaultUnavailable(err error) *dialect.Error {
	return &dialect.Error{
		Status: http.StatusServiceUnavailable, Code: dialect.CodeVaultUnavailable,
		Message: "Nothing was changed. " + sentence(err) + ".",
	}
}
