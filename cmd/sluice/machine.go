package main

import (
	"context"
	"crypto/x509"
	"database/sql"
	"encoding/pem"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"sluice/envoy"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/config"
)

// machine looks at what the gateway runs on and keeps.
type machine struct {
	g        *gateway
	started  time.Time
	listener atomic.Pointer[x509.Certificate]

	mu      sync.Mutex // guards the following fields
	checked time.Time
	found   string // by the last check of the state
}

// served notes the certificate that clients see.
func (m *machine) served(chain []byte) {
	if list := certificates(chain); len(list) > 0 {
		m.listener.Store(list[0])
	}
}

// notAfter is the end of the listener's certificate, in Unix seconds.
func (m *machine) notAfter() float64 {
	if c := m.listener.Load(); c != nil {
		return float64(c.NotAfter.Unix())
	}
	return 0
}

func (m *machine) look(ctx context.Context) api.Machine {
	g := m.g
	stats := g.trail.Stats()
	return api.Machine{
		Nodes: []api.Node{m.node()}, Certificates: m.certificates(), Disk: diskOf(g.cfg.Data),
		Stores: []api.Store{{Name: "sluice.db", Bytes: sizeOf(filepath.Join(g.cfg.Data, "sluice.db*")), Integrity: m.integrity(ctx, g.db)}},
		Trail: api.TrailSize{
			Partitions: stats.Partitions, OldestDay: g.trail.Oldest().Format(time.DateOnly),
			Bytes: sizeOf(filepath.Join(g.cfg.Data, "audit", "*")), Healthy: g.trail.Healthy() == nil,
			Disk: trailDisk(g.trail),
		},
	}
}

func (m *machine) node() api.Node {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	process := m.g.envoy.Status()
	return api.Node{
		ID: "sluice", HostName: host, Version: version, Started: m.started.UTC().Truncate(time.Second),
		MemoryBytes: memory(), Goroutines: runtime.NumGoroutine(), CPUs: runtime.GOMAXPROCS(0),
		Envoy: process.State, EnvoyVersion: envoy.Version, EnvoyRestarts: process.Restarts, Connected: m.g.plane.Status().Connected,
	}
}

// memory is what the Go runtime has taken from the system and not given back.
func memory() int64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64() - samples[1].Value.Uint64())
}

func (m *machine) certificates() []api.Certificate {
	out := []api.Certificate{}
	source := "local"
	if m.g.cfg.TLS.Certificate != "" {
		source = "file"
	}
	if c := m.listener.Load(); c != nil {
		out = append(out, certificateShape(c, api.ForListener, source))
	}
	if m.g.cfg.TLS.AsksForCertificates() {
		bundle, err := os.ReadFile(m.g.cfg.TLS.ClientCA)
		if err == nil {
			for _, c := range certificates(bundle) {
				out = append(out, certificateShape(c, api.ForClients, "file"))
			}
		}
	}
	return out
}

func certificateShape(c *x509.Certificate, purpose, source string) api.Certificate {
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return api.Certificate{
		For: purpose, Subject: c.Subject.String(), Issuer: c.Issuer.String(), Names: names, NotAfter: c.NotAfter.UTC(),
		DaysLeft: int(math.Floor(time.Until(c.NotAfter).Hours() / 24)), Source: source,
	}
}

// certificates are those of a PEM file; what can't be read is left out.
func certificates(text []byte) (list []*x509.Certificate) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			list = append(list, c)
		}
	}
	return list
}

// integrityEvery is how long a check of the state's database counts.
const integrityEvery = 10 * time.Minute

// integrity is "ok", or what is wrong with the database.
func (m *machine) integrity(ctx context.Context, db *sql.DB) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.found != "" && time.Since(m.checked) < integrityEvery {
		return m.found
	}
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&m.found); err != nil {
		m.found = ""
		return "it could not be looked through"
	}
	m.checked = time.Now()
	return m.found
}

// sizeOf is the size of the files that match.
func sizeOf(pattern string) (total int64) {
	files, _ := filepath.Glob(pattern) // the pattern is well-formed
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			total += info.Size()
		}
	}
	return total
}

func trailDisk(t *audit.Trail) api.TrailDisk {
	d, f := t.Disk(), t.Forecast()
	out := api.TrailDisk{State: d.State, Bytes: d.TotalBytes, FreeBytes: d.FreeBytes, WarnBytes: d.WarnBytes, StopBytes: d.StopBytes}
	if f.BytesPerDay >= 0 {
		out.DayBytes = &f.BytesPerDay
	}
	if f.DaysLeft >= 0 {
		out.DaysLeft = &f.DaysLeft
	}
	return out
}

// diskLimit is a limit of the configuration, which has been read before.
func diskLimit(text string) (audit.DiskLimit, error) {
	bytes, share, err := config.ParseDiskLimit(text)
	return audit.DiskLimit{Bytes: bytes, Share: share}, err
}
