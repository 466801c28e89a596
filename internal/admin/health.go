package admin

import (
	"net/http"
	"strings"
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
		trail.Ready, trail.Missing = false, "The audit trail can't be written."
	}
	policy := Component{Name: "policies", Ready: true, Detail: s.Policy.Status()}
	if s.Policy.Status().Revision == "" {
		policy.Ready, policy.Missing = false, "No policy is in force."
	}
	store := Component{Name: "catalog", Ready: true, Detail: s.Catalog.Status()}
	return append(s.Components(), policy, trail, store)
}

// links are the ways in, for people who open the address.
var links = []struct{ Path, Text string }{
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

// home is GET /: the links, as a page for browsers and as JSON for the rest.
func (s *server) home(c *call) error {
	if !strings.Contains(c.r.Header.Get("Accept"), "text/html") {
		paths := map[string]string{}
		for _, l := range links {
			paths[l.Text] = l.Path
		}
		return c.reply(http.StatusOK, home{"Sluice", s.Version, paths})
	}
	var b strings.Builder
	b.WriteString("<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Sluice</title>\n" +
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n" +
		"<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem;" +
		"color-scheme:light dark}</style>\n" +
		"<h1>Sluice</h1>\n<p>An AI gateway. Every call below needs a token, save the last two.</p>\n<ul>\n")
	for _, l := range links {
		b.WriteString("<li><a href=\"" + l.Path + "\">" + l.Text + "</a></li>\n")
	}
	b.WriteString("</ul>\n</html>\n")
	c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write([]byte(b.String()))
	return nil
}
