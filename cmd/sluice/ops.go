package main

import (
	"encoding/json"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sluice/internal/admin"
	"sluice/internal/audit"
)

// components says which parts are ready, for /readyz and the status.
func (g *gateway) components() []admin.Component {
	x, p := g.plane.Status(), g.envoy.Status()
	envoyPart := admin.Component{Name: "envoy", Ready: p.State == "running", Detail: p}
	if !envoyPart.Ready {
		envoyPart.Missing = "Envoy is " + p.State + "."
	}
	plane := admin.Component{Name: "xds", Ready: x.Synced(), Detail: x}
	switch {
	case x.Rejected != nil:
		plane.Missing = "Envoy refused a change of its configuration and goes on with the last good one."
	case !x.Connected:
		plane.Missing = "Envoy is not connected to the control plane."
	case !plane.Ready:
		plane.Missing = "Envoy has not taken all of its configuration yet."
	}
	process := admin.Component{Name: "gateway", Ready: !g.stopping.Load()}
	if !process.Ready {
		process.Missing = "The gateway is draining and will stop."
	}
	return append([]admin.Component{process, envoyPart, plane, g.vaultComponent()}, g.providerComponent()...)
}

// metricsHandler serves metrics and health where only operators reach, also
// while Envoy is down.
func (g *gateway) metricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(g.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		status, missing := http.StatusOK, []string{}
		for _, c := range g.components() {
			if !c.Ready {
				status, missing = http.StatusServiceUnavailable, append(missing, c.Missing)
			}
		}
		if err := g.trail.Healthy(); err != nil {
			status, missing = http.StatusServiceUnavailable, append(missing, audit.Unhealthy(err))
		}
		writeJSON(w, status, map[string]any{"ready": status == http.StatusOK, "missing": missing})
	})
	return mux
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that left can't be told
}

// registerParts exports how Envoy's process, the policies and the catalog do.
func (g *gateway) registerParts() {
	gauge := func(name, help string, read func() float64) {
		g.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
	}
	gauge("sluice_envoy_up", "1 while Envoy's process runs.", func() float64 { return oneIf(g.envoy.Status().State == "running") })
	gauge("sluice_envoy_restarts", "How often Envoy was started again since the gateway's start.",
		func() float64 { return float64(g.envoy.Status().Restarts) })
	gauge("sluice_certificate_not_after_seconds", "When the listener's certificate ends, in Unix seconds.", g.machine.notAfter)
	gauge("sluice_disk_free_bytes", "What is free on the file system of the data folder, for the gateway's user.",
		func() float64 { return float64(diskOf(g.cfg.Data).FreeBytes) })
	gauge("sluice_disk_bytes", "The size of the file system of the data folder.", func() float64 { return float64(diskOf(g.cfg.Data).Bytes) })
	gauge("sluice_usage_behind_frames", "Frames of the trail that usage has not counted yet.",
		func() float64 { return float64(g.usage.Status().Behind) })
	gauge("sluice_policy_refused", "1 while the newest bundle is refused and an older one is in force.",
		func() float64 { return oneIf(g.policy.Status().LastError != "") })
	gauge("sluice_sessions", "Browsers that are signed in to the web UI.", func() float64 { return float64(g.sessions.Count()) })
	gauge("sluice_endpoints", "Endpoints in force.", func() float64 { return float64(g.extproc.Table().Len()) })
	gauge("sluice_endpoints_broken", "Endpoints that can't be called because of a fault in their configuration.",
		func() float64 { return float64(len(g.catalog.Status().Broken)) })
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// registerTrail exports the trail's own figures.
func registerTrail(r prometheus.Registerer, t *audit.Trail) {
	gauge := func(name, help string, read func(audit.Stats) float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return read(t.Stats()) }))
	}
	counter := func(name, help string, read func(audit.Stats) float64) {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return read(t.Stats()) }))
	}
	counter("sluice_audit_frames_total", "Frames written to the trail.", func(s audit.Stats) float64 { return float64(s.Frames) })
	counter("sluice_audit_bytes_total", "Bytes written to the trail.", func(s audit.Stats) float64 { return float64(s.Bytes) })
	counter("sluice_audit_failures_total", "Frames that could not be written.", func(s audit.Stats) float64 { return float64(s.Failures) })
	gauge("sluice_audit_disk_free_bytes", "What is free on the file system of the trail, for the gateway's user.",
		func(s audit.Stats) float64 { return float64(s.Disk.FreeBytes) })
	gauge("sluice_audit_disk_state", "0 while the disk of the trail has room, 1 when that is low, 2 when requests are refused for lack of it.",
		func(s audit.Stats) float64 {
			return map[string]float64{audit.DiskLow: 1, audit.DiskStopped: 2}[s.Disk.State]
		})
	gauge("sluice_audit_open_exchanges", "Exchanges with a request half and no response half.", func(s audit.Stats) float64 { return float64(s.Open) })
	gauge("sluice_audit_index_lag_frames", "Frames written and not yet indexed.", func(s audit.Stats) float64 { return float64(s.IndexLag) })
}
