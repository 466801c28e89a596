package admin

import (
	"net/http"

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

// listModels is GET /v1/models: the endpoints that the caller may call.
func (s *server) listModels(c *call) error {
	found, err := s.visible(c, everything, false)
	if err != nil {
		return err
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
	found, err := s.visible(c, everything, false)
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
	ok, err := s.mayView(c, e)
	if err == nil && !ok {
		err = s.refuse(c, audit.ResultDenied, dialect.EndpointNotFound(name))
	}
	if err != nil {
		return err
	}
	return c.reply(http.StatusOK, modelShape(e))
}
