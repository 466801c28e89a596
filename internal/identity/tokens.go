package identity

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// IssueToken makes a token for the user t names, with t's name, project,
// execution and expiry, and its id where it has one: who records the token
// first needs it. The plaintext is returned this once and not kept. A user that
// is missing is ErrNotFound; a disabled user, or an expiry that is
// past, is ErrInvalid.
func (s *Store) IssueToken(ctx context.Context, t Token) (plaintext string, issued Token, err error) {
	plaintext = newToken()
	issued, err = s.addToken(ctx, t, sha256.Sum256([]byte(plaintext)))
	if err != nil {
		return "", Token{}, fmt.Errorf("issuing token: %w", err)
	}
	return plaintext, issued, nil
}

// AdoptToken registers a token that was made elsewhere in the same format, for
// example an administrator's token from a file. A token that is known already
// is ErrExists; text that is no token is ErrMalformedToken.
func (s *Store) AdoptToken(ctx context.Context, plaintext string, t Token) (Token, error) {
	hash, err := ParseToken(plaintext)
	if err == nil {
		t, err = s.addToken(ctx, t, hash)
	}
	if err != nil {
		return Token{}, fmt.Errorf("adopting token: %w", err)
	}
	return t, nil
}

func (s *Store) addToken(ctx context.Context, t Token, hash [32]byte) (Token, error) {
	now := s.stamp()
	if t.ID == "" {
		t.ID = s.newID()
	}
	t.Created, t.Revoked, t.Hash = now, nil, hash
	if t.Expires != nil {
		expires := t.Expires.UTC().Truncate(time.Millisecond)
		t.Expires = &expires
	}
	if err := t.normalize(); err != nil {
		return Token{}, err
	}
	if t.Expires != nil && !t.Expires.After(now) {
		return Token{}, wrong("expires", "it is in the past")
	}
	err := s.mutate(ctx, func(tx *sql.Tx, draft *snapshot) error {
		u := draft.users.get(t.UserID)
		switch {
		case u == nil:
			return fmt.Errorf("user %q %w", t.UserID, ErrNotFound)
		case u.Disabled:
			return wrong("userId", "the user %q is disabled", u.Name)
		case draft.hashes.get(hash) != nil, draft.tokens.get(t.ID) != nil:
			return fmt.Errorf("the token %w", ErrExists)
		}
		draft.setTokens(t)
		_, err := tx.ExecContext(ctx,
			`INSERT INTO tokens (id, name, user_id, project, execution, endpoints, networks, created, expires, revoked, hash)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)`,
			t.ID, t.Name, t.UserID, t.Project, t.Execution, strings.Join(t.EndpointIDs, ","), joinNetworks(t.Networks),
			t.Created.UnixMilli(), millis(t.Expires), t.Hash[:])
		return err
	})
	return t.clone(), err
}

// RevokeToken makes a token useless from the return on. One that is revoked
// stays as it is.
func (s *Store) RevokeToken(ctx context.Context, id string) (Token, error) {
	var t Token
	now := s.stamp()
	err := s.mutate(ctx, func(tx *sql.Tx, draft *snapshot) error {
		c := draft.tokens.get(id)
		if c == nil {
			return fmt.Errorf("token %q %w", id, ErrNotFound)
		}
		if t = c.token; t.Revoked != nil {
			return nil
		}
		t.Revoked = &now
		draft.setTokens(t)
		_, err := tx.ExecContext(ctx, "UPDATE tokens SET revoked = ? WHERE id = ?", now.UnixMilli(), id)
		return err
	})
	if err != nil {
		return Token{}, fmt.Errorf("revoking token: %w", err)
	}
	return t.clone(), nil
}

// PurgeTokens forgets the tokens that were revoked or expired before a moment,
// and returns how many. From then on they are unknown.
func (s *Store) PurgeTokens(ctx context.Context, before time.Time) (int, error) {
	purged := 0
	err := s.mutate(ctx, func(tx *sql.Tx, draft *snapshot) error {
		var ended []Token
		for _, c := range draft.tokens.m {
			if end := endOf(&c.token); end != nil && end.Before(before) {
				ended = append(ended, c.token)
			}
		}
		purged = len(ended)
		draft.removeTokens(ended)
		for _, t := range ended {
			if _, err := tx.ExecContext(ctx, "DELETE FROM tokens WHERE id = ?", t.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("purging tokens: %w", err)
	}
	return purged, nil
}

// endOf is when a token stopped or stops to count, nil for never.
func endOf(t *Token) *time.Time {
	if t.Revoked != nil {
		return t.Revoked
	}
	return t.Expires
}

// GetToken returns the token with the id, or ErrNotFound.
func (s *Store) GetToken(_ context.Context, id string) (Token, error) {
	if c := s.snap.Load().tokens.get(id); c != nil {
		return c.token.clone(), nil
	}
	return Token{}, fmt.Errorf("token %q %w", id, ErrNotFound)
}

// ListTokens lists a user's tokens, revoked ones too, the oldest first; all
// tokens where userID is "".
func (s *Store) ListTokens(_ context.Context, userID string) []Token {
	shared := s.Tokens(userID)
	out := make([]Token, len(shared))
	for i, t := range shared {
		out[i] = t.clone()
	}
	return out
}

// Tokens lists what ListTokens does, without copies: nothing of it may be
// changed.
func (s *Store) Tokens(userID string) []*Token {
	snap := s.snap.Load()
	if userID != "" {
		ids := snap.tokensOf.get(userID)
		out := make([]*Token, len(ids))
		for i, id := range ids {
			out[i] = &snap.tokens.get(id).token
		}
		sortTokens(out)
		return out
	}
	if made := snap.issued.Load(); made != nil {
		return *made
	}
	all := make([]*Token, 0, len(snap.tokens.m))
	for _, c := range snap.tokens.m {
		all = append(all, &c.token)
	}
	sortTokens(all)
	snap.issued.Store(&all)
	return all
}

func sortTokens(tokens []*Token) {
	slices.SortFunc(tokens, func(a, b *Token) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
}

func (t *Token) clone() Token {
	c := *t
	c.EndpointIDs, c.Networks = slices.Clone(t.EndpointIDs), slices.Clone(t.Networks)
	for _, p := range []**time.Time{&c.Expires, &c.Revoked} {
		if *p != nil {
			moment := **p
			*p = &moment
		}
	}
	return c
}

func joinNetworks(networks []netip.Prefix) string {
	texts := make([]string, len(networks))
	for i, n := range networks {
		texts[i] = n.String()
	}
	return strings.Join(texts, ",")
}

func splitNetworks(joined string) (networks []netip.Prefix, err error) {
	for _, text := range split(joined) {
		n, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, err
		}
		networks = append(networks, n)
	}
	return networks, nil
}

// split is strings.Split, but nothing makes no element.
func split(joined string) []string {
	if joined == "" {
		return nil
	}
	return strings.Split(joined, ",")
}
