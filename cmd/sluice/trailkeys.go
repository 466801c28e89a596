package main

import (
	"context"
	"time"

	"go.uber.org/zap"

	"sluice/internal/redact"
	"sluice/internal/trailkeys"
)

// openTrailKeys has the trail signed from now on. While the vault can't open the
// keys, checkpoints say that they are not signed.
func (g *gateway) openTrailKeys() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), vaultPatience)
	defer cancel()
	g.keys, err = trailkeys.Open(ctx, trailkeys.Options{DB: g.db, Vault: g.vaults, Now: time.Now, Log: g.log.Named("trailkeys")})
	if err != nil {
		return err
	}
	if err := g.trail.SetSigner(g.keys); err != nil {
		return err
	}
	if err := g.redacts(); err != nil {
		return err
	}
	g.keys.OnOpen(func() {
		if err := g.redacts(); err != nil {
			g.log.Error("the trail redacts without hashes", zap.Error(err))
		}
		if err := g.trail.SetSigner(g.keys); err != nil {
			g.log.Error("the public keys of the trail were not written", zap.Error(err))
		}
	})
	return nil
}

// redacts gives the trail what it redacts with. While the key is not at hand,
// marks name the kind of what was found and nothing more.
func (g *gateway) redacts() error {
	r, err := redact.New(redact.Options{
		Detectors: g.cfg.Audit.Redact.Detectors, Fields: g.cfg.Audit.Redact.Fields, Key: g.keys.Redaction(),
	})
	if err != nil {
		return err
	}
	g.trail.SetRedactor(r)
	return nil
}

// vaultPatience bounds how long a start waits for the vault.
const vaultPatience = 20 * time.Second
