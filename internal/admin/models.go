package admin

import (
	"net/http"
	"time"

	"sluice/extproc/dialect"
	"sluice/internal/audit"
	"sluice/internal/catalog"
)

// model is an endpoint as OpenAI's clients see it.
type model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"` // Unix seconds
	OwnedBy string `json:"owned_by"`
}

type modelList struct {
	Object string  `json:"object"`
	Data   []model `json:"data"`
}

func modelShape(e *catalog.Endpoint) model {
	return model{ID: e.Name, Object: "model", Created: e.Created.Unix(), OwnedBy: e.First().Provider}
}

// claudeModel is an endpoint as Anthropic's clients see it (Models API,
// version 2023-06-01).
type claudeModel struct {
	Type        string    `json:"type"`
	ID          string    `json:"id"`
	DisplayName string    `json:"display_name"`
	CreatedAt   time.Time `json:"created_at"`
}

// claudeModelList is always one page.
type claudeModelList struct {
	Data    []claudeModel `json:"data"`
	HasMore bool          `json:"has_more"`
	FirstID *string       `json:"first_id"` // null where Data is empty
	LastID  *string       `json:"last_id"`
}

func claudeModelShape(e *catalog.Endpoint) claudeModel {
	return claudeModel{Type: "model", ID: e.Name, DisplayName: e.Name, CreatedAt: e.Created.UTC().Truncate(time.Second)}
}

func claudeModels(found []*catalog.Endpoint) claudeModelList {
	out := claudeModelList{Data: make([]claudeModel, 0, len(found))}
	for _, e := range found {
		out.Data = append(out.Data, claudeModelShape(e))
	}
	if n := len(out.Data); n > 0 {
		out.FirstID, out.LastID = &out.Data[0].ID, &out.Data[n-1].ID
	}
	return out
}

// Replies of GET /v1/models and /v1/models/{name}.
var (
	anyModelList = oneOf{modelList{}, claudeModelList{}}
	anyModel     = oneOf{model{}, claudeModel{}}
)

// toClaude reports whether a client is Anthropic's: OpenAI's asks at the same
// path, without this header.
func (c *call) toClaude() bool { return c.r.Header.Get("Anthropic-Version") != "" }

// listModels is GET /v1/models: the endpoints that the caller may call, as
// OpenAI's clients know them, or Anthropic's.
func (s *server) listModels(c *call) error {
	found, err := s.callable(c, everything)
	if err != nil {
		return err
	}
	if c.toClaude() {
		return c.reply(http.StatusOK, claudeModels(found))
	}
	out := modelList{Object: "list", Data: []model{}}
	for _, e := range found {
		out.Data = append(out.Data, modelShape(e))
	}
	return c.reply(http.StatusOK, out)
}

// listUnifiedModels is GET /gateway/mlflow/v1/models of MLflow's newer gateway:
// the same list, with its own word for the owner.
func (s *server) listUnifiedModels(c *call) error {
	found, err := s.callable(c, everything)
	if err != nil {
		return err
	}
	out := modelList{Object: "list", Data: []model{}}
	for _, e := range found {
		m := modelShape(e)
		m.OwnedBy = "mlflow"
		out.Data = append(out.Data, m)
	}
	return c.reply(http.StatusOK, out)
}

// readModel is GET /v1/models/{name}. A model that the caller may not call is
// told like one that does not exist, and recorded as a denial.
func (s *server) readModel(c *call) error {
	name := c.r.PathValue("name")
	e, ok := s.Catalog.Snapshot().Get(name)
	if !ok {
		return dialect.EndpointNotFound(name)
	}
	ok, err := s.mayCall(c, e)
	if err == nil && !ok {
		err = s.refuse(c, audit.ResultDenied, dialect.EndpointNotFound(name))
	}
	if err != nil {
		return err
	}
	if c.toClaude() {
		return c.reply(http.StatusOK, claudeModelShape(e))
	}
	return c.reply(http.StatusOK, modelShape(e))
}
