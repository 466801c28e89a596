package admin

import (
	"encoding/json"
	"net/http"

	"sluice/internal/scim"
)

// provisioning is the protocol of SCIM for one request.
func (s *server) provisioning(c *call) *scim.Service {
	scheme := "https"
	if c.r.Header.Get("X-Forwarded-Proto") == "http" {
		scheme = "http"
	}
	return &scim.Service{Directory: &directory{s: s, c: c}, Address: scheme + "://" + c.r.Host + scim.Base}
}

// replySCIM writes a document of SCIM.
func (c *call) replySCIM(status int, d scim.Document) error {
	body, err := json.Marshal(d)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", scim.MediaType)
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body)
	return nil
}

// scimConfig is GET /scim/v2/ServiceProviderConfig.
func (s *server) scimConfig(c *call) error {
	return c.replySCIM(http.StatusOK, s.provisioning(c).ProviderConfig())
}

// scimSchemas is GET /scim/v2/Schemas.
func (s *server) scimSchemas(c *call) error {
	return c.replySCIM(http.StatusOK, s.provisioning(c).Schemas())
}

// scimSchema is GET /scim/v2/Schemas/{id}.
func (s *server) scimSchema(c *call) error {
	d, ok := s.provisioning(c).Schema(c.r.PathValue("id"))
	if !ok {
		return notFound("schema", c.r.PathValue("id"))
	}
	return c.replySCIM(http.StatusOK, d)
}

// scimTypes is GET /scim/v2/ResourceTypes.
func (s *server) scimTypes(c *call) error {
	return c.replySCIM(http.StatusOK, s.provisioning(c).ResourceTypes())
}

// scimType is GET /scim/v2/ResourceTypes/{id}.
func (s *server) scimType(c *call) error {
	d, ok := s.provisioning(c).ResourceType(c.r.PathValue("id"))
	if !ok {
		return notFound("resource type", c.r.PathValue("id"))
	}
	return c.replySCIM(http.StatusOK, d)
}

// scimList is GET of /scim/v2/Users and /scim/v2/Groups.
func (s *server) scimList(k *scim.Kind) func(*call) error {
	return func(c *call) error {
		d, err := s.provisioning(c).List(k, c.r.URL.Query())
		if err != nil {
			return err
		}
		return c.replySCIM(http.StatusOK, d)
	}
}

// scimSearch is POST of /scim/v2/.search, and of /scim/v2/Users/.search and
// /scim/v2/Groups/.search.
func (s *server) scimSearch(kinds ...*scim.Kind) func(*call) error {
	return func(c *call) error {
		body, err := c.body()
		if err != nil {
			return err
		}
		d, err := s.provisioning(c).Search(body, kinds...)
		if err != nil {
			return err
		}
		return c.replySCIM(http.StatusOK, d)
	}
}

// scimCreate is POST of /scim/v2/Users and /scim/v2/Groups.
func (s *server) scimCreate(k *scim.Kind) func(*call) error {
	return func(c *call) error {
		body, err := c.body()
		if err != nil {
			return err
		}
		d, version, err := s.provisioning(c).Create(k, body, c.r.URL.Query())
		if err != nil {
			return err
		}
		if meta, ok := d["meta"].(scim.Document); ok {
			c.w.Header().Set("Location", meta["location"].(string))
		}
		c.w.Header().Set("ETag", version)
		return c.replySCIM(http.StatusCreated, d)
	}
}

// scimRead is GET of one user or group.
func (s *server) scimRead(k *scim.Kind) func(*call) error {
	return func(c *call) error {
		d, version, err := s.provisioning(c).Get(k, c.r.PathValue("id"), c.r.URL.Query())
		if err != nil || c.unchanged(version) {
			return err
		}
		return c.replySCIM(http.StatusOK, d)
	}
}

// scimReplace is PUT of one user or group.
func (s *server) scimReplace(k *scim.Kind) func(*call) error {
	return s.scimChange(func(p *scim.Service, c *call, body []byte) (scim.Document, string, error) {
		return p.Replace(k, c.r.PathValue("id"), body, c.r.URL.Query())
	})
}

// scimPatch is PATCH of one user or group.
func (s *server) scimPatch(k *scim.Kind) func(*call) error {
	return s.scimChange(func(p *scim.Service, c *call, body []byte) (scim.Document, string, error) {
		return p.Patch(k, c.r.PathValue("id"), body, c.r.URL.Query())
	})
}

func (s *server) scimChange(change func(*scim.Service, *call, []byte) (scim.Document, string, error)) func(*call) error {
	return func(c *call) error {
		body, err := c.body()
		if err != nil {
			return err
		}
		d, version, err := change(s.provisioning(c), c, body)
		if err != nil {
			return err
		}
		c.w.Header().Set("ETag", version)
		return c.replySCIM(http.StatusOK, d)
	}
}

// scimDelete is DELETE of one user or group.
func (s *server) scimDelete(k *scim.Kind) func(*call) error {
	return func(c *call) error {
		if err := (&directory{s: s, c: c}).Delete(k, c.r.PathValue("id")); err != nil {
			return err
		}
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
}
