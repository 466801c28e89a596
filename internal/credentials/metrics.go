package credentials

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/extproc/provider/kit"
)

const (
	resultOK     = "ok"
	resultFailed = "failed"
)

// metrics are the numbers of all sources, by kind: a source's own state is in
// the status.
type metrics struct {
	fetches *prometheus.CounterVec
	sources *prometheus.Desc
	unready *prometheus.Desc
	ends    *prometheus.Desc
	manager *Manager
}

func newMetrics(m *Manager, r prometheus.Registerer) *metrics {
	const space, part = "sluice", "credentials"
	name := func(s string) string { return prometheus.BuildFQName(space, part, s) }
	kind := []string{"kind"}
	x := &metrics{
		fetches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: space, Subsystem: part, Name: "fetches_total",
			Help: "Credentials fetched or renewed, by kind and result (ok, failed).",
		}, []string{"kind", "result"}),
		sources: prometheus.NewDesc(name("sources"), "Different credentials in use, by kind.", kind, nil),
		unready: prometheus.NewDesc(name("unready"), "Credentials in use of which none valid is at hand, by kind.", kind, nil),
		ends: prometheus.NewDesc(name("seconds_to_end"),
			"Seconds until the first credential of a kind ends; negative when it has ended.", kind, nil),
		manager: m,
	}
	for _, k := range []kit.CredentialKind{kit.AWS, kit.Google, kit.EntraID, kit.OAuth} {
		x.fetches.WithLabelValues(string(k), resultOK)
		x.fetches.WithLabelValues(string(k), resultFailed)
	}
	if r != nil {
		r.MustRegister(x.fetches, x)
	}
	return x
}

// Describe is prometheus.Collector's.
func (x *metrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- x.sources
	ch <- x.unready
	ch <- x.ends
}

// Collect is prometheus.Collector's.
func (x *metrics) Collect(ch chan<- prometheus.Metric) {
	type sum struct {
		sources, unready int
		ends             time.Time
	}
	sums := make(map[kit.CredentialKind]sum)
	for _, st := range x.manager.Status() {
		n := sums[st.Kind]
		n.sources++
		if !st.Ready {
			n.unready++
		}
		if !st.Ends.IsZero() && (n.ends.IsZero() || st.Ends.Before(n.ends)) {
			n.ends = st.Ends
		}
		sums[st.Kind] = n
	}
	now := x.manager.now()
	for kind, n := range sums {
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, string(kind))
		}
		gauge(x.sources, float64(n.sources))
		gauge(x.unready, float64(n.unready))
		if !n.ends.IsZero() {
			gauge(x.ends, n.ends.Sub(now).Seconds())
		}
	}
}

var _ prometheus.Collector = (*metrics)(nil)
