package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"sluice/internal/catalog"
	"sluice/internal/identity"
)

// practiceName is the endpoint that works without any provider key, and the
// user whose token calls it.
const practiceName = "practice"

// news is what a first start made and tells once.
type news struct{ adminToken string }

// firstStart makes the administrator, the practice endpoint and its user, each
// where it is missing on the very first start; what somebody deleted later
// stays deleted. The marker of a first start that was completed is the
// administrator's token file.
func (g *gateway) firstStart(ctx context.Context) (news, error) {
	if _, err := os.Stat(g.adminToken); err == nil {
		return news{}, nil
	}
	if _, err := g.catalog.Create(ctx, catalog.Endpoint{
		Name: practiceName, Type: catalog.TypeChat,
		Target:      catalog.Target{Provider: "practice", Model: practiceName, Config: map[string]string{}},
		Permissions: catalog.Permissions{Everyone: true},
	}); err != nil && !errors.Is(err, catalog.ErrExists) {
		return news{}, fmt.Errorf("making the practice endpoint: %w", err)
	}
	if _, err := g.ensureToken(ctx, practiceName, nil, g.practiceTokenFile()); err != nil {
		return news{}, err
	}
	token, err := g.ensureToken(ctx, "admin", []string{identity.RoleAdministrator}, g.adminToken)
	return news{adminToken: token}, err
}

func (g *gateway) practiceTokenFile() string { return filepath.Join(g.cfg.Data, "practice-token") }

// ensureToken issues a token to a user, who is made when missing, and keeps it
// in a file that only this user of the machine can read.
func (g *gateway) ensureToken(ctx context.Context, name string, roles []string, file string) (string, error) {
	u, err := g.identity.FindUser(ctx, name)
	if errors.Is(err, identity.ErrNotFound) {
		u, err = g.identity.CreateUser(ctx, identity.User{Name: name, Roles: roles})
	}
	if err != nil {
		return "", fmt.Errorf("making the user %s: %w", name, err)
	}
	token, _, err := g.identity.IssueToken(ctx, identity.Token{Name: "first start", UserID: u.ID})
	if err != nil {
		return "", fmt.Errorf("issuing a token to %s: %w", name, err)
	}
	// Written aside and renamed: a start that is killed here leaves no half file.
	if err := os.WriteFile(file+".new", []byte(token+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keeping the token of %s: %w", name, err)
	}
	return token, os.Rename(file+".new", file)
}

var announcement = template.Must(template.New("").Parse(`
Sluice is serving at {{.URL}}
{{if .Token}}
  Administrator's token (shown this once; kept in {{.AdminFile}}):
    {{.Token}}
{{else}}
  Administrator's token: {{.AdminFile}}
{{end}}{{if .Practice}}
  A first call:
    curl -s{{.CurlCA}} -H "Authorization: Bearer $(cat {{.PracticeFile}})" -H 'Content-Type: application/json' \
      -d '{"messages": [{"role": "user", "content": "Hello, who are you?"}]}' {{.URL}}/endpoints/practice/invocations

  The same in Python (pip install mlflow):
    import os
{{if .CA}}    os.environ["MLFLOW_TRACKING_SERVER_CERT_PATH"] = "{{.CA}}"
{{end}}    os.environ["MLFLOW_TRACKING_TOKEN"] = open("{{.PracticeFile}}").read().strip()
    from mlflow.deployments import get_deploy_client
    client = get_deploy_client("{{.URL}}")
    print(client.predict(endpoint="practice", inputs={"messages": [{"role": "user", "content": "Hello, who are you?"}]}))
{{end}}
  Endpoints, tokens, the trail: bin/sluice --help{{if .Data}} (with --data {{.Data}}){{end}}
  REST: {{.URL}}/api/aigateway/v1/endpoints    Health: {{.URL}}/readyz{{if .Metrics}}    Metrics: http://{{.Metrics}}/metrics{{end}}

`))

// announce prints how to make a first call, ready to paste.
func (g *gateway) announce(w io.Writer, n news) {
	_, practice := g.catalog.Snapshot().Get(practiceName)
	if _, err := os.Stat(g.practiceTokenFile()); err != nil {
		practice = false
	}
	abs := func(p string) string {
		if a, err := filepath.Abs(p); err == nil {
			return a
		}
		return p
	}
	v := map[string]any{
		"URL": "https://" + strings.Replace(g.cfg.Listen, "0.0.0.0", "127.0.0.1", 1), "Token": n.adminToken, "AdminFile": abs(g.adminToken),
		"Practice": practice, "PracticeFile": abs(g.practiceTokenFile()), "Metrics": g.cfg.MetricsListen, "CA": "", "CurlCA": "", "Data": "",
	}
	if g.caFile != "" {
		v["CA"], v["CurlCA"] = abs(g.caFile), " --cacert "+abs(g.caFile)
	}
	if filepath.Clean(g.cfg.Data) != "data" {
		v["Data"] = g.cfg.Data
	}
	_ = announcement.Execute(w, v) // a closed standard output must not stop the gateway
}
