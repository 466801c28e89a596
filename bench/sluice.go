package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"sluice/internal/simulate"
)

// benchEndpoint is the endpoint that is called.
const benchEndpoint = "bench"

// manyEndpoints is how many more the last gateway has.
const manyEndpoints = 10_000

// sluice is the whole gateway with one endpoint.
func (b *bench) sluice(ctx context.Context) (*gateway, error) {
	return b.startSluice(ctx, b.o.sluice, 1, "", openAI)
}

// sluiceMany is the whole gateway with ten thousand endpoints at one provider.
func (b *bench) sluiceMany(ctx context.Context) (*gateway, error) {
	return b.startSluice(ctx, b.o.sluice, manyEndpoints, "", openAI)
}

// sluiceAnthropic and sluiceBedrock translate for an OpenAI client.
func (b *bench) sluiceAnthropic(ctx context.Context) (*gateway, error) {
	return b.startSluice(ctx, b.o.sluice, 1, "", anthropic)
}

func (b *bench) sluiceBedrock(ctx context.Context) (*gateway, error) {
	return b.startSluice(ctx, b.o.sluice, 1, "", bedrock)
}

// sluiceTwo has a second target, to fall back to: the price of being able to.
func (b *bench) sluiceTwo(ctx context.Context) (*gateway, error) {
	return b.startSluice(ctx, b.o.sluice, 1, "", openAI, openAI)
}

// sluiceUnrecorded has a trail that keeps nothing: the price of the audit trail.
func (b *bench) sluiceUnrecorded(ctx context.Context) (*gateway, error) {
	return b.startSluice(ctx, b.o.unrecorded, 1, "", openAI)
}

// target is what is behind the endpoint that is called.
type target struct {
	provider, model string
	config          func(addr string) map[string]string
}

var (
	openAI = target{"openai", "gpt-4o-mini", func(addr string) map[string]string {
		return map[string]string{"openai_api_key": "sk-bench", "openai_api_base": "http://" + addr + "/v1"}
	}}
	anthropic = target{"anthropic", "claude-sonnet-4-5", func(addr string) map[string]string {
		return map[string]string{"anthropic_api_key": "sk-bench", "anthropic_api_base": "http://" + addr + "/v1"}
	}}
	bedrock = target{"bedrock", "anthropic.claude-sonnet-4-5-v1:0", func(addr string) map[string]string {
		return map[string]string{"aws_region": "us-east-1", "aws_access_key_id": "AKIDBENCH",
			"aws_secret_access_key": "bench-secret", "aws_endpoint_url": "http://" + addr}
	}}
)

// startSluice starts the program with some endpoints; more is YAML besides what
// every gateway here is configured with.
func (b *bench) startSluice(ctx context.Context, program string, endpoints int, more string, targets ...target) (*gateway, error) {
	addr, err := simulate.RefusedAddr()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "sluice")
	if err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	config, err := b.sluiceConfig(dir, addr, more)
	if err != nil {
		return nil, err
	}
	server, err := startChild("sluice", nil, program, "run", "--config", config, "--envoy-bin", b.o.envoy)
	if err != nil {
		return nil, err
	}
	admin := newAdminClient(b, addr)
	waiting, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	err = server.wait(waiting, func() error { return admin.ready(waiting) })
	if err == nil {
		err = admin.prepare(ctx, filepath.Join(dir, "data", "admin-token"), b.providerAddr, endpoints, targets)
	}
	if err != nil {
		server.stop()
		return nil, err
	}
	g := &gateway{addr: addr, ca: b.ca.PEM(), serverName: serverName, path: "/v1/chat/completions", model: benchEndpoint,
		header: map[string]string{"Authorization": "Bearer " + admin.token},
		roots:  func() []int { return []int{server.cmd.Process.Pid} }, close: server.stop, data: filepath.Join(dir, "data")}
	if b.o.dialect == dialectMLflow {
		g.path, g.model = "/endpoints/"+benchEndpoint+"/invocations", ""
	}
	return g, nil
}

func (b *bench) sluiceConfig(dir, addr, more string) (path string, err error) {
	if more == "" {
		more = "metrics_listen: \"\"\n"
	}
	config := fmt.Sprintf("listen: %s\ndata: %q\ntls: { certificate: %q, key: %q }\negress: { allow_private: true }\n%s",
		addr, filepath.Join(dir, "data"), b.certFile, b.keyFile, more)
	path = filepath.Join(dir, "sluice.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return "", fmt.Errorf("writing the configuration: %w", err)
	}
	return path, nil
}

// adminClient makes endpoints through REST.
type adminClient struct {
	base  string
	token string
	http  *http.Client
}

func newAdminClient(b *bench, addr string) *adminClient {
	return &adminClient{base: "https://" + addr, http: &http.Client{Timeout: startTime, Transport: &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: b.ca.Pool(), ServerName: serverName, MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost: creators}}}
}

func (a *adminClient) ready(ctx context.Context) error {
	return a.do(ctx, http.MethodGet, "/readyz", nil)
}

// creators is how many endpoints are made at a time.
const creators = 8

// prepare makes the endpoint that is called and the others.
func (a *adminClient) prepare(ctx context.Context, tokenFile, providerAddr string, endpoints int, targets []target) error {
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return fmt.Errorf("reading the administrator's token: %w", err)
	}
	a.token = strings.TrimSpace(string(token))
	if err := a.create(ctx, benchEndpoint, providerAddr, targets[0]); err != nil {
		return err
	}
	for i, t := range targets[1:] {
		if err := a.add(ctx, fmt.Sprint("fallback-", i+1), i+1, providerAddr, t); err != nil {
			return err
		}
	}
	names := make(chan string)
	failed := make(chan error, creators)
	var wg sync.WaitGroup
	for range creators {
		wg.Go(func() {
			for name := range names {
				if err := a.create(ctx, name, providerAddr, targets[0]); err != nil {
					failed <- err
					for range names { // lets the sender finish
					}
					return
				}
			}
		})
	}
	for i := 1; i < endpoints; i++ {
		names <- fmt.Sprintf("%s-%05d", benchEndpoint, i)
	}
	close(names)
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func (a *adminClient) create(ctx context.Context, name, providerAddr string, t target) error {
	endpoint := map[string]any{
		"endpointName": name, "endpointType": "llm/v1/chat", "modelProvider": t.provider, "modelName": t.model,
		"endpointPermissions": map[string]any{"isEveryoneAllowed": true, "userIds": []string{}},
		"modelConfig":         t.config(providerAddr),
	}
	if err := a.do(ctx, http.MethodPost, "/api/aigateway/v1/endpoints", endpoint); err != nil {
		return fmt.Errorf("creating the endpoint %s: %w", name, err)
	}
	return nil
}

// add adds a target to the endpoint that is called.
func (a *adminClient) add(ctx context.Context, name string, order int, providerAddr string, t target) error {
	body := map[string]any{
		"name": name, "order": order, "modelProvider": t.provider, "modelName": t.model, "modelConfig": t.config(providerAddr),
	}
	if err := a.do(ctx, http.MethodPost, "/api/sluice/v1/endpoints/"+benchEndpoint+"/targets", body); err != nil {
		return fmt.Errorf("adding the target %s: %w", name, err)
	}
	return nil
}

func (a *adminClient) do(ctx context.Context, method, path string, body any) error {
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("rendering the request: %w", err)
		}
		content = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(ctx, method, a.base+path, content)
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	if a.token != "" {
		request.Header.Set("Authorization", "Bearer "+a.token)
	}
	response, err := a.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("reading the reply: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d: %s", response.StatusCode, text)
	}
	return nil
}
