package catalog

import (
	"context"
	"database/sql"
	"time"

	"sluice/internal/vault"
)

// Store keeps endpoints.
type Store struct{}

// Snapshot is the catalog at one moment. It is immutable.
type Snapshot struct{ Revision uint64 }

// What Apply did to an endpoint.
const (
	Created   = "created"
	Updated   = "updated"
	Unchanged = "unchanged"
)

// Change says what Apply did to one endpoint. Before is nil for a created one.
type Change struct {
	Name          string
	Action        string
	Before, After *Endpoint
}

// Status is the state of the store. Broken names endpoints with a Problem.
type Status struct {
	Revision  uint64   `json:"revision"`
	Endpoints int      `json:"endpoints"`
	Broken    []string `json:"broken,omitempty"`
}

// FieldError says which field of an endpoint is wrong; it is an ErrInvalid.
type FieldError struct {
	Field   string // in REST's words, e.g. "endpointName", "modelConfig.openai_api_key"
	Message string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Message }

func NewID() string { panic("skeleton") }
func NewStore(db *sql.DB, v vault.Vault, now func() time.Time, newID func() string) (*Store, error) {
	panic("skeleton")
}
func (s *Store) Snapshot() *Snapshot                                        { panic("skeleton") }
func (s *Store) Status() Status                                             { panic("skeleton") }
func (s *Store) OnChange(f func(*Snapshot))                                 { panic("skeleton") }
func (s *Store) Create(ctx context.Context, e Endpoint) (*Endpoint, error)  { panic("skeleton") }
func (s *Store) Delete(ctx context.Context, name string) (*Endpoint, error) { panic("skeleton") }
func (s *Store) Apply(ctx context.Context, es []Endpoint) ([]Change, error) { panic("skeleton") }

// Forget takes a user's or organization's id out of every endpoint's permissions.
func (s *Store) Forget(ctx context.Context, id string) error { panic("skeleton") }
func (s *Store) Update(ctx context.Context, name string, change func(*Endpoint) error) (*Endpoint, error) {
	panic("skeleton")
}
func (s *Snapshot) Get(name string) (*Endpoint, bool) { panic("skeleton") }
func (s *Snapshot) ByID(id string) (*Endpoint, bool)  { panic("skeleton") }
func (s *Snapshot) All() []*Endpoint                  { panic("skeleton") }

// ParsePeriod reads a limit's period as MLflow does: "minute", "5 minutes".
func ParsePeriod(s string) (time.Duration, error) { panic("skeleton") }
