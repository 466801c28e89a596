package envoy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// adminTimeout bounds one question to Envoy's admin interface.
const adminTimeout = 10 * time.Second

// Admin asks an Envoy over the unix socket of its admin interface. It is safe
// for use by several goroutines.
type Admin struct{ client *http.Client }

// NewAdmin returns a client for the socket. Nothing is connected yet.
func NewAdmin(socket string) *Admin {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &Admin{client: &http.Client{
		Timeout: adminTimeout,
		// Envoy comes and goes; a kept connection would be to the last one.
		Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true},
	}}
}

// Do sends a request to the path and returns the body of a 200 answer.
func (a *Admin) Do(ctx context.Context, method, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://envoy"+path, nil)
	if err != nil {
		return nil, fmt.Errorf("asking Envoy's admin interface: %w", err)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking Envoy's admin interface: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("reading Envoy's answer to %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the admin interface of Envoy answered %s to %s: %s", resp.Status, path, strings.TrimSpace(string(body)))
	}
	return body, nil
}

// Ready returns nil when Envoy serves with its whole configuration.
func (a *Admin) Ready(ctx context.Context) error {
	_, err := a.Do(ctx, http.MethodGet, "/ready")
	return err
}

// Stats returns the counters and gauges whose names match the regular
// expression; "" is all. Histograms are left out.
func (a *Admin) Stats(ctx context.Context, filter string) (map[string]int64, error) {
	path := "/stats?format=json"
	if filter != "" {
		path += "&filter=" + url.QueryEscape(filter)
	}
	body, err := a.Do(ctx, http.MethodGet, path)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Stats []struct {
			Name  string          `json:"name"`
			Value json.RawMessage `json:"value"`
		} `json:"stats"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("reading Envoy's statistics: %w", err)
	}
	stats := make(map[string]int64, len(answer.Stats))
	for _, s := range answer.Stats {
		var n int64
		if s.Name != "" && json.Unmarshal(s.Value, &n) == nil {
			stats[s.Name] = n
		}
	}
	return stats, nil
}

// Prometheus returns Envoy's statistics in the Prometheus text format.
func (a *Admin) Prometheus(ctx context.Context) ([]byte, error) {
	return a.Do(ctx, http.MethodGet, "/stats/prometheus?usedonly")
}

// ConfigDump returns Envoy's whole configuration as JSON. Envoy leaves private
// keys out of it.
func (a *Admin) ConfigDump(ctx context.Context) ([]byte, error) {
	return a.Do(ctx, http.MethodGet, "/config_dump?include_eds")
}

// ServerInfo is what Envoy says about itself.
type ServerInfo struct {
	Version string `json:"version"` // commit/version/…
	State   string `json:"state"`   // LIVE, DRAINING, PRE_INITIALIZING, INITIALIZING
}

// ServerInfo asks Envoy what it is and how it does.
func (a *Admin) ServerInfo(ctx context.Context) (ServerInfo, error) {
	body, err := a.Do(ctx, http.MethodGet, "/server_info")
	if err != nil {
		return ServerInfo{}, err
	}
	var info ServerInfo
	if err := json.Unmarshal(body, &info); err != nil {
		return ServerInfo{}, fmt.Errorf("reading Envoy's server info: %w", err)
	}
	return info, nil
}

// ActiveRequests is how many requests of clients run now, over all listeners.
func (a *Admin) ActiveRequests(ctx context.Context) (int64, error) {
	const name = "http.ingress.downstream_rq_active"
	stats, err := a.Stats(ctx, "^"+name+"$")
	if err != nil {
		return 0, err
	}
	return stats[name], nil
}

// drainListeners starts the graceful end: connections are told to close after
// their present request, and with graceful false listeners stop at once.
func (a *Admin) drainListeners(ctx context.Context, graceful bool) error {
	path := "/drain_listeners"
	if graceful {
		path += "?graceful"
	}
	_, err := a.Do(ctx, http.MethodPost, path)
	return err
}
