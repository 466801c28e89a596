package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"go.uber.org/zap"

	"sluice/internal/admin"
	"sluice/internal/admin/api"
	"sluice/internal/config"
	"sluice/internal/identity"
	"sluice/internal/mlflowconfig"
)

// operator is whoever writes the configuration file, which administers the
// gateway whatever users and tokens there are. The trail has it by this name; the
// id is nobody's.
var operator = identity.Caller{UserID: strings.Repeat("0", 24), UserName: "configuration file", Roles: adminRoles}

// applyFile creates and updates the endpoints that the configuration names. It
// goes the way of every other change, through the control server's own
// handler: checked, decided, recorded.
func (g *gateway) applyFile(ctx context.Context, c config.Config) error {
	if !c.HasEndpoints {
		return nil
	}
	file, err := mlflowconfig.ParseSection(c.Source, c.Raw, mlflowconfig.Options{
		Strict: true, Resolve: mlflowconfig.Resolver(os.LookupEnv),
	})
	if err != nil {
		return err
	}
	if len(file.Endpoints) == 0 {
		return nil
	}
	body, err := mlflowconfig.Marshal(file.Endpoints)
	if err != nil {
		return fmt.Errorf("applying the endpoints of %s: %w", c.Source, err)
	}
	req, err := http.NewRequestWithContext(admin.As(ctx, &operator, "", ""), http.MethodPost, "/api/sluice/v1/apply", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("applying the endpoints of %s: %w", c.Source, err)
	}
	req.Header.Set("Content-Type", "application/json")
	w := &answer{header: http.Header{}, status: http.StatusOK}
	g.control.ServeHTTP(w, req)
	if w.status != http.StatusOK {
		return fmt.Errorf("applying the endpoints of %s: %w", c.Source, errors.New(refusal(w.body.Bytes())))
	}
	var done api.ApplyResult
	if err := json.Unmarshal(w.body.Bytes(), &done); err != nil {
		return fmt.Errorf("applying the endpoints of %s: %w", c.Source, err)
	}
	for _, r := range done.Results {
		g.log.Info("endpoint of the file", zap.String("endpoint", r.EndpointName), zap.String("change", r.Change))
	}
	return nil
}

// answer keeps what a handler replies.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
func (a *answer) WriteHeader(status int)      { a.status = status }

// refusal is the sentence of an error reply.
func refusal(body []byte) string {
	var e struct {
		Error  string   `json:"error"`
		Errors []string `json:"errors"`
	}
	if json.Unmarshal(body, &e) != nil || e.Error == "" && len(e.Errors) == 0 {
		return "the control server gave no reason"
	}
	return strings.Join(append(e.Errors, e.Error), " ")
}
