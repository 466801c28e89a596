package admin

import (
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"net/http"

	"sluice/extproc/dialect"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/trailkeys"
	"sluice/internal/vault"
	"sluice/policies"
)

// TrailKeys has the keys that sign the trail (see trailkeys.Keys).
type TrailKeys interface {
	audit.Signer
	Err() error
	Rotate(ctx context.Context, tell func(trailkeys.Rotation) error) (trailkeys.Rotation, error)
}

// unsigned is for a trail without keys.
type unsigned struct{}

var errNoKeys = errors.New("the trail is not signed here")

func (unsigned) Key() (string, crypto.Signer, error) { return "", nil, errNoKeys }
func (unsigned) Public() []audit.PublicKey           { return nil }
func (unsigned) Err() error                          { return nil }
func (unsigned) Rotate(context.Context, func(trailkeys.Rotation) error) (trailkeys.Rotation, error) {
	return trailkeys.Rotation{}, errNoKeys
}

func (s *server) trailKeyRoutes() []route {
	return []route{
		{
			pattern: "GET " + own + "/audit/keys", access: decided, resource: policies.ResourceAudit, verb: policies.VerbList, handle: s.listTrailKeys,
			doc: doc{id: "listTrailKeys", tag: tagAudit, summary: "List the public keys that the trail is signed with.", out: api.TrailKeys{}},
		},
		{
			pattern: "POST " + own + "/audit/keys/rotate", access: decided, resource: policies.ResourceSettings, verb: policies.VerbUpdate,
			handle: s.rotateTrailKey,
			doc: doc{
				id: "rotateTrailKey", tag: tagAudit, summary: "Sign the trail with a new key; the old one vouches for it and is destroyed.",
				out: api.TrailKeys{}, also: []int{503},
			},
		},
	}
}

// listTrailKeys is GET /api/sluice/v1/audit/keys.
func (s *server) listTrailKeys(c *call) error {
	if !c.all() {
		return s.beyond(c)
	}
	out := api.TrailKeys{Keys: []api.TrailKey{}, Signing: true}
	for _, k := range s.TrailKeys.Public() {
		out.Keys = append(out.Keys, api.TrailKey{
			ID: k.ID, Key: base64.StdEncoding.EncodeToString(k.Key), Created: k.Created, Retired: k.Retired,
		})
	}
	if _, _, err := s.TrailKeys.Key(); err != nil {
		out.Signing = false
		if err := s.TrailKeys.Err(); err != nil {
			out.Error = sentence(err) + "."
		}
	}
	return c.reply(http.StatusOK, out)
}

// rotateTrailKey is POST /api/sluice/v1/audit/keys/rotate. The event that names
// the new key is signed with the old one.
func (s *server) rotateTrailKey(c *call) error {
	var told *audit.Event
	_, err := s.TrailKeys.Rotate(c.ctx(), func(r trailkeys.Rotation) error {
		public := base64.StdEncoding.EncodeToString(r.After.Key)
		told = c.event(audit.KindKeyRotated, "key", r.After.ID, r.After.ID, []audit.Change{{Field: "id", Before: r.Before, After: r.After.ID}})
		told.Metadata = map[string]string{"publicKey": public}
		return s.change(c, s.Trail.Checkpoint, told)
	})
	switch {
	case err != nil && told != nil:
		return err
	case errors.Is(err, vault.ErrUnavailable):
		return &dialect.Error{
			Status: http.StatusServiceUnavailable, Code: dialect.CodeVaultUnavailable, Message: "Nothing was changed. " + sentence(err) + ".",
		}
	case err != nil:
		return err
	}
	if err := s.Trail.SetSigner(s.TrailKeys); err != nil {
		return err
	}
	return s.listTrailKeys(c)
}
