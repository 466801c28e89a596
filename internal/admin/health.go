package admin

import (
	"net/http"

	"sluice/internal/audit"
)

// health is the reply of what only tells that it answers.
type health struct {
	Status string `json:"status"`
}

// healthz is GET /healthz: the process answers.
func (s *server) healthz(c *call) error {
	return c.reply(http.StatusOK, health{"ok"})
}

// missing is a part that is not ready, as anybody may know it.
type missingPart struct {
	Name    string `json:"name"`
	Message string `json:"message"`
}

// readiness is the reply of GET /readyz.
type readiness struct {
	Ready   bool          `json:"ready"`
	Missing []missingPart `json:"missing"`
}

// readyz is GET /readyz: 200, or 503 and what is missing.
func (s *server) readyz(c *call) error {
	missing := []missingPart{}
	for _, part := range s.parts() {
		if !part.Ready {
			missing = append(missing, missingPart{Name: part.Name, Message: part.Missing})
		}
	}
	status := http.StatusOK
	if len(missing) > 0 {
		status = http.StatusServiceUnavailable
	}
	return c.reply(status, readiness{len(missing) == 0, missing})
}

// parts are the components that were given and those that are known here.
func (s *server) parts() []Component {
	trail := Component{Name: "audit", Ready: true, Detail: s.Trail.Stats()}
	if err := s.Trail.Healthy(); err != nil {
		trail.Ready, trail.Missing = false, audit.Unhealthy(err)
	}
	policy := Component{Name: "policies", Ready: true, Detail: s.Policy.Status()}
	if s.Policy.Status().Revision == "" {
		policy.Ready, policy.Missing = false, "No policy is in force."
	}
	store := Component{Name: "catalog", Ready: true, Detail: s.Catalog.Status()}
	return append(s.Components(), policy, trail, store)
}

// links are the ways in.
var links = []struct{ Path, Text string }{
	{"/ui/", "Web UI"},
	{"/v1/models", "Models that you may use (OpenAI)"},
	{"/api/2.0/endpoints/", "Endpoints that you may use (MLflow)"},
	{"/api/aigateway/v1/endpoints", "Endpoints (REST)"},
	{"/readyz", "Readiness"},
	{"/healthz", "Health"},
}

// home is the reply of GET /.
type home struct {
	Name    string            `json:"name"`
	Version string            `json:"version"`
	Links   map[string]string `json:"links"`
}

// home is GET /: the ways in. Browsers are led to the web UI before.
func (s *server) home(c *call) error {
	paths := map[string]string{}
	for _, l := range links {
		paths[l.Text] = l.Path
	}
	return c.reply(http.StatusOK, home{"Sluice", s.Version, paths})
}
