package xds

import "github.com/prometheus/client_golang/prometheus"

// metrics are the numbers of the control plane.
type metrics struct {
	connected  prometheus.Gauge
	pushes     *prometheus.CounterVec
	nacks      *prometheus.CounterVec
	resources  *prometheus.GaugeVec
	ackSeconds prometheus.Histogram
	unresolved prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	const space, part = "sluice", "xds"
	m := &metrics{
		connected: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: space, Subsystem: part, Name: "connected",
			Help: "1 while Envoy has an open stream to the control plane.",
		}),
		pushes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: space, Subsystem: part, Name: "pushes_total",
			Help: "Responses sent to Envoy, by resource type.",
		}, []string{"type"}),
		nacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: space, Subsystem: part, Name: "nacks_total",
			Help: "Responses that Envoy refused, by resource type.",
		}, []string{"type"}),
		resources: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: space, Subsystem: part, Name: "resources",
			Help: "Resources that Envoy is to have, by type.",
		}, []string{"type"}),
		ackSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: space, Subsystem: part, Name: "ack_seconds",
			Help:    "Time from sending a response to Envoy's answer.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}),
		unresolved: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: space, Subsystem: part, Name: "unresolved_hosts",
			Help: "Upstream hosts whose last resolution failed.",
		}),
	}
	if r != nil {
		r.MustRegister(m.connected, m.pushes, m.nacks, m.resources, m.ackSeconds, m.unresolved)
	}
	for _, t := range typeOrder {
		m.pushes.WithLabelValues(shortName(t))
		m.nacks.WithLabelValues(shortName(t))
		m.resources.WithLabelValues(shortName(t))
	}
	return m
}
