package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"go.uber.org/zap"

	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/cli"
	"sluice/internal/identity"
)

// practiceName is the endpoint that works without any provider key, and the
// user whose token calls it.
const practiceName = "practice"

// news is what a first start made and tells once.
type news struct{ adminToken string }

// firstStart makes the practice endpoint, its user and the administrator, until
// there is an administrator: that marks a first start that was completed, and
// what somebody deletes later stays deleted. A token that the operator has put
// into the administrator's file beforehand becomes the administrator's. When the
// file is gone later, the administrator of the first start gets a new token.
func (g *gateway) firstStart(ctx context.Context) (news, error) {
	kept, err := os.ReadFile(g.adminToken)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return news{}, fmt.Errorf("reading the administrator's token: %w", err)
	}
	given := err == nil
	if g.administered(ctx) {
		if u, err := g.identity.FindUser(ctx, adminName); given || err != nil || !administers(u) {
			return news{}, nil
		}
	} else if err := g.ensurePractice(ctx); err != nil {
		return news{}, err
	}
	if given {
		return news{}, g.adoptToken(ctx, strings.TrimSpace(string(kept)))
	}
	token, err := g.ensureToken(ctx, adminName, adminRoles, g.adminToken)
	return news{adminToken: token}, err
}

// adminName is the administrator that a first start makes.
const adminName = "admin"

var adminRoles = []string{identity.RoleAdministrator}

func administers(u identity.User) bool {
	return !u.Disabled && slices.Contains(u.Roles, identity.RoleAdministrator)
}

func (g *gateway) administered(ctx context.Context) bool {
	return slices.ContainsFunc(g.identity.ListUsers(ctx), administers)
}

// adoptToken makes the administrator of a token that was made elsewhere.
func (g *gateway) adoptToken(ctx context.Context, token string) error {
	if _, err := identity.ParseToken(token); err != nil {
		return fmt.Errorf("%s holds no token of this gateway; take the file away to have one made: %w", g.adminToken, err)
	}
	u, err := g.ensureUser(ctx, adminName, adminRoles)
	if err != nil {
		return err
	}
	t := identity.Token{ID: catalog.NewID(), Name: "first start", UserID: u.ID}
	if err := g.recordToken(t); err != nil {
		return err
	}
	_, err = g.identity.AdoptToken(ctx, token, t)
	return err
}

// ensurePractice makes the practice endpoint and its user where they are missing.
func (g *gateway) ensurePractice(ctx context.Context) error {
	if _, there := g.catalog.Snapshot().Get(practiceName); !there {
		if err := g.makePractice(ctx); err != nil {
			return fmt.Errorf("making the practice endpoint: %w", err)
		}
	}
	_, err := g.ensureToken(ctx, practiceName, nil, g.practiceTokenFile())
	return err
}

func (g *gateway) makePractice(ctx context.Context) error {
	e := catalog.Endpoint{
		ID: catalog.NewID(), Name: practiceName, Type: catalog.TypeChat,
		Targets:     []catalog.Target{{Name: catalog.DefaultTarget, Weight: 1, Provider: "practice", Model: practiceName, Config: map[string]string{}}},
		Permissions: catalog.Permissions{Everyone: true},
	}
	about := map[string]string{"endpointName": e.Name, "modelProvider": e.First().Provider, "modelName": e.First().Model}
	err := g.record(&audit.Event{
		Kind: audit.KindCreateEndpoint, TargetType: audit.TargetEndpoint, TargetID: e.ID, TargetName: e.Name,
		EndpointType: string(e.Type), Metadata: about,
		Changes: []audit.Change{
			{Field: "endpointName", After: e.Name}, {Field: "endpointType", After: string(e.Type)},
			{Field: "isEveryoneAllowed", After: "true"},
			{Field: "modelName", After: e.First().Model}, {Field: "modelProvider", After: e.First().Provider},
		},
	})
	if err != nil {
		return err
	}
	_, err = g.catalog.Create(ctx, e)
	return err
}

// record puts a change into the trail that the first start is about to make.
// It is nobody's: By stays nil.
func (g *gateway) record(e *audit.Event) error {
	e.Time = time.Now()
	err := g.trail.Event(e)
	if err != nil && g.serveUnrecorded() {
		g.log.Error("the trail took no record", zap.String("kind", e.Kind), zap.Error(err))
		return nil
	}
	return err
}

func (g *gateway) practiceTokenFile() string { return filepath.Join(g.cfg.Data, "practice-token") }

// ensureToken issues a token to a user, who is made when missing, and keeps it
// in a file that only this user of the machine can read.
func (g *gateway) ensureToken(ctx context.Context, name string, roles []string, file string) (string, error) {
	u, err := g.ensureUser(ctx, name, roles)
	if err != nil {
		return "", err
	}
	token, err := g.issueToken(ctx, identity.Token{ID: catalog.NewID(), Name: "first start", UserID: u.ID})
	if err != nil {
		return "", fmt.Errorf("issuing a token to %s: %w", name, err)
	}
	// Written aside and renamed: a start that is killed here leaves no half file.
	if err := os.WriteFile(file+".new", []byte(token+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keeping the token of %s: %w", name, err)
	}
	return token, os.Rename(file+".new", file)
}

func (g *gateway) ensureUser(ctx context.Context, name string, roles []string) (identity.User, error) {
	u, err := g.identity.FindUser(ctx, name)
	if errors.Is(err, identity.ErrNotFound) {
		u, err = g.makeUser(ctx, identity.User{ID: catalog.NewID(), Name: name, Roles: roles})
	}
	if err != nil {
		return u, fmt.Errorf("making the user %s: %w", name, err)
	}
	return u, nil
}

func (g *gateway) makeUser(ctx context.Context, u identity.User) (identity.User, error) {
	changes := []audit.Change{{Field: "userName", After: u.Name}}
	if len(u.Roles) > 0 {
		changes = append([]audit.Change{{Field: "roles", After: strings.Join(u.Roles, ",")}}, changes...)
	}
	err := g.record(&audit.Event{
		Kind: "CreateUser", TargetType: "user", TargetID: u.ID, TargetName: u.Name, Changes: changes,
	})
	if err != nil {
		return u, err
	}
	return g.identity.CreateUser(ctx, u)
}

func (g *gateway) issueToken(ctx context.Context, t identity.Token) (string, error) {
	if err := g.recordToken(t); err != nil {
		return "", err
	}
	token, _, err := g.identity.IssueToken(ctx, t)
	return token, err
}

func (g *gateway) recordToken(t identity.Token) error {
	return g.record(&audit.Event{
		Kind: "CreateToken", TargetType: "token", TargetID: t.ID, TargetName: t.Name,
		Changes: []audit.Change{{Field: "name", After: t.Name}, {Field: "userId", After: t.UserID}},
	})
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
  In the browser: {{.URL}}/ui/ (sign in with the administrator's token)
  Endpoints, tokens, the trail: bin/sluice --help{{if .With}} (with{{.With}}){{end}}
{{if .Fingerprint}}  From another machine: sluice login --server {{.URL}} (its CA is {{.Fingerprint}})
{{end}}  REST: {{.URL}}/api/aigateway/v1/endpoints    Health: {{.URL}}/readyz{{if .Metrics}}    Metrics: http://{{.Metrics}}/metrics{{end}}

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
		"Practice": practice, "PracticeFile": abs(g.practiceTokenFile()), "Metrics": g.cfg.MetricsListen, "CA": "", "CurlCA": "", "With": "", "Fingerprint": "",
	}
	if g.caFile != "" {
		v["CA"], v["CurlCA"] = abs(g.caFile), " --cacert "+abs(g.caFile)
		if pem, err := os.ReadFile(g.caFile); err == nil {
			v["Fingerprint"], _ = cli.FingerprintPEM(pem)
		}
	}
	if v["URL"] != cli.DefaultServer {
		v["With"] = fmt.Sprint(" --server ", v["URL"])
	}
	if filepath.Clean(g.cfg.Data) != "data" {
		v["With"] = fmt.Sprint(v["With"], " --data ", g.cfg.Data)
	}
	var b bytes.Buffer
	if err := announcement.Execute(&b, v); err != nil {
		panic(err) // the template is ours
	}
	_, _ = w.Write(b.Bytes()) // whole, so that no log line comes between; a closed standard output must not stop the gateway
}
