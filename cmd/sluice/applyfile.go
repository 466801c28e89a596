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

	"sluice/internal/admin/api"
	"sluice/internal/config"
	"sluice/internal/mlflowconfig"
)

// applyFile creates and updates the endpoints that the configuration names. It
// goes the way of every other change, through the control server's own
// handler as the administrator: checked, decided, recorded.
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
	token, err := os.ReadFile(g.adminToken)
	if err != nil {
		return fmt.Errorf("applying the endpoints of %s: reading the administrator's token: %w", c.Source, err)
	}
	body, err := mlflowconfig.Marshal(file.Endpoints)
	if err != nil {
		return fmt.Errorf("applying the endpoints of %s: %w", c.Source, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "/api/sluice/v1/apply", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("applying the endpoints of %s: %w", c.Source, err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
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
