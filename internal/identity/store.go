package identity

import (
	"context"
	"database/sql"
	"time"
)

// Store keeps users, organizations and tokens.
type Store struct{}

// CredentialHeaders are the headers, in lower case, in which a client may
// present its token. None of them leaves towards a provider.
var CredentialHeaders = []string{"authorization", "x-domino-api-key", "x-api-key", "api-key", "x-goog-api-key"}

// NewStore loads the snapshot.
func NewStore(db *sql.DB, now func() time.Time, newID func() string) (*Store, error) {
	panic("skeleton")
}

// Authenticate returns the caller that the bare token stands for.
func (s *Store) Authenticate(credential string) (*Caller, error) { panic("skeleton") }

// CredentialFrom finds the one credential among the headers.
func CredentialFrom(get func(header string) []string) (string, error) { panic("skeleton") }

// Code is the stable code of an authentication error, e.g. "expired_token".
func Code(err error) string { panic("skeleton") }

// ParseToken checks form and checksum and returns the hash it is kept under.
func ParseToken(token string) (hash [32]byte, err error) { panic("skeleton") }

// OnRemove registers a hook called with the id before a user or organization is deleted.
func (s *Store) OnRemove(hook func(ctx context.Context, id string) error) { panic("skeleton") }

func (s *Store) CreateUser(ctx context.Context, u User) (User, error) { panic("skeleton") }
func (s *Store) UpdateUser(ctx context.Context, id string, change func(*User) error) (User, error) {
	panic("skeleton")
}
func (s *Store) DeleteUser(ctx context.Context, id string) (User, error) { panic("skeleton") }
func (s *Store) GetUser(ctx context.Context, id string) (User, error)    { panic("skeleton") }
func (s *Store) FindUser(ctx context.Context, name string) (User, error) { panic("skeleton") }
func (s *Store) ListUsers(ctx context.Context) []User                    { panic("skeleton") }
func (s *Store) CreateOrganization(ctx context.Context, o Organization) (Organization, error) {
	panic("skeleton")
}
func (s *Store) UpdateOrganization(ctx context.Context, id string, change func(*Organization) error) (Organization, error) {
	panic("skeleton")
}
func (s *Store) DeleteOrganization(ctx context.Context, id string) (Organization, error) {
	panic("skeleton")
}
func (s *Store) GetOrganization(ctx context.Context, id string) (Organization, error) {
	panic("skeleton")
}
func (s *Store) FindOrganization(ctx context.Context, name string) (Organization, error) {
	panic("skeleton")
}
func (s *Store) ListOrganizations(ctx context.Context) []Organization { panic("skeleton") }
func (s *Store) AddMember(ctx context.Context, organizationID, userID string) (Organization, error) {
	panic("skeleton")
}
func (s *Store) RemoveMember(ctx context.Context, organizationID, userID string) (Organization, error) {
	panic("skeleton")
}

// IssueToken makes a token; the plaintext is returned once and not kept.
func (s *Store) IssueToken(ctx context.Context, t Token) (plaintext string, issued Token, err error) {
	panic("skeleton")
}
func (s *Store) RevokeToken(ctx context.Context, id string) (Token, error) { panic("skeleton") }
func (s *Store) GetToken(ctx context.Context, id string) (Token, error)    { panic("skeleton") }

// ListTokens lists a user's tokens, oldest first; all tokens where userID is "".
func (s *Store) ListTokens(ctx context.Context, userID string) []Token { panic("skeleton") }
