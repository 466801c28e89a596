package trailkeys

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"sluice/internal/audit"
	"sluice/internal/vault"
)

const (
	// redactionID is the owner of the redaction key; those of the others are
	// their ids.
	redactionID = "redaction"
	nameSigning = "signing"
	nameHash    = "hash"
)

func (k *Keys) readySigning(ctx context.Context) error {
	if k.signing.Load() != nil {
		return nil
	}
	for _, p := range k.Public() {
		if p.Retired != nil {
			continue
		}
		seed, err := k.open(ctx, p.ID, nameSigning)
		if err == nil && len(seed) != ed25519.SeedSize {
			err = fmt.Errorf("it has %d bytes", len(seed))
		}
		if err != nil {
			return fmt.Errorf("opening the signing key: %w", err)
		}
		k.signing.Store(&signing{p, ed25519.NewKeyFromSeed(seed)})
		return nil
	}
	next, err := k.draw(ctx)
	if err == nil {
		err = k.store(ctx, next, "")
	}
	if err != nil {
		return fmt.Errorf("making the signing key: %w", err)
	}
	k.signing.Store(&next.signing)
	return nil
}

func (k *Keys) readyRedaction(ctx context.Context) error {
	if k.redaction.Load() != nil {
		return nil
	}
	key, err := k.open(ctx, redactionID, nameHash)
	if errors.Is(err, sql.ErrNoRows) {
		key = random(32)
		var sealed []byte
		if sealed, err = k.seal(ctx, redactionID, nameHash, key); err == nil {
			_, err = k.DB.ExecContext(ctx, "INSERT INTO trail_secrets (key_id, name, sealed) VALUES (?, ?, ?)", redactionID, nameHash, sealed)
		}
	}
	if err != nil {
		return fmt.Errorf("opening the redaction key: %w", err)
	}
	k.redaction.Store(&key)
	return nil
}

// renewRedaction puts a new redaction key in the place of one that can't be
// opened.
func (k *Keys) renewRedaction(ctx context.Context) error {
	if _, err := k.DB.ExecContext(ctx, "DELETE FROM trail_secrets WHERE key_id = ?", redactionID); err != nil {
		return fmt.Errorf("making the redaction key anew: %w", err)
	}
	if err := k.readyRedaction(ctx); err != nil {
		return err
	}
	k.mu.Lock()
	k.failed = nil
	opened := k.opened
	k.mu.Unlock()
	for _, do := range opened {
		do()
	}
	return nil
}

// drawn is a signing key that is not stored yet.
type drawn struct {
	signing
	sealed []byte
}

func (k *Keys) draw(ctx context.Context) (*drawn, error) {
	seed := random(ed25519.SeedSize)
	private := ed25519.NewKeyFromSeed(seed)
	public := private.Public().(ed25519.PublicKey)
	p := audit.PublicKey{ID: audit.KeyID(public), Key: public, Created: k.Now().UTC().Truncate(time.Millisecond)}
	sealed, err := k.seal(ctx, p.ID, nameSigning, seed)
	return &drawn{signing{p, private}, sealed}, err
}

// store puts a key in the place of the one before, "" for none.
func (k *Keys) store(ctx context.Context, next *drawn, before string) error {
	tx, err := k.DB.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	var old []byte
	err = tx.QueryRowContext(ctx, "SELECT sealed FROM trail_secrets WHERE key_id = ? AND name = ?", before, nameSigning).Scan(&old)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	at := next.public.Created.UnixMilli()
	exec := func(query string, args ...any) {
		if err == nil || errors.Is(err, sql.ErrNoRows) {
			_, err = tx.ExecContext(ctx, query, args...)
		}
	}
	exec("UPDATE trail_keys SET retired = ? WHERE retired IS NULL", at)
	exec("INSERT INTO trail_keys (id, public, created) VALUES (?, ?, ?)", next.public.ID, next.public.Key, at)
	exec("INSERT INTO trail_secrets (key_id, name, sealed) VALUES (?, ?, ?)", next.public.ID, nameSigning, next.sealed)
	exec("DELETE FROM trail_secrets WHERE key_id = ?", before)
	if vault.IsElsewhere(old) {
		exec(leave, "trail/"+before, old, at)
	}
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return k.readPublic(ctx)
}

// leave notes what a vault keeps elsewhere and that is not needed any more; the
// catalog removes it there.
const leave = "INSERT OR IGNORE INTO vault_removals (owner, sealed, since) VALUES (?, ?, ?)"

// discard gives up a key that was sealed and is not stored.
func (k *Keys) discard(ctx context.Context, d *drawn) error {
	if !vault.IsElsewhere(d.sealed) {
		return nil
	}
	_, err := k.DB.ExecContext(ctx, leave, "trail/"+d.public.ID, d.sealed, k.Now().UnixMilli())
	return err
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails: the process ends where there is no randomness
	return b
}

func (k *Keys) seal(ctx context.Context, id, name string, value []byte) ([]byte, error) {
	if err := k.Vault.Prepare(ctx, false); err != nil {
		return nil, err
	}
	sealed, err := k.Vault.Seal(ctx, "trail/"+id, map[string]string{name: base64.StdEncoding.EncodeToString(value)})
	return sealed[name], err
}

// open reads and opens a value. Where there is none the error is sql.ErrNoRows.
func (k *Keys) open(ctx context.Context, id, name string) ([]byte, error) {
	var sealed []byte
	err := k.DB.QueryRowContext(ctx, "SELECT sealed FROM trail_secrets WHERE key_id = ? AND name = ?", id, name).Scan(&sealed)
	if err != nil {
		return nil, err
	}
	if vault.IsElsewhere(sealed) {
		// What can't be read shows when it is opened.
		_ = k.Vault.Fetch(ctx, []string{"trail/" + id}, false)
	}
	text, err := k.Vault.Open(ctx, "trail/"+id, name, sealed)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(text)
}

func (k *Keys) readPublic(ctx context.Context) error {
	rows, err := k.DB.QueryContext(ctx, "SELECT id, public, created, retired FROM trail_keys ORDER BY created, rowid")
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	var list []audit.PublicKey
	for rows.Next() {
		var p audit.PublicKey
		var created int64
		var retired sql.NullInt64
		if err := rows.Scan(&p.ID, &p.Key, &created, &retired); err != nil {
			return err
		}
		p.Created = time.UnixMilli(created).UTC()
		if retired.Valid {
			at := time.UnixMilli(retired.Int64).UTC()
			p.Retired = &at
		}
		list = append(list, p)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.public = list
	return nil
}
