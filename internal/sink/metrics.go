package sink

import "github.com/prometheus/client_golang/prometheus"

// metrics export the status of each sink when they are asked for.
type metrics struct {
	m     *Manager
	descs map[string]*prometheus.Desc
}

const prefix = "sluice_audit_sink_"

func newMetrics(r prometheus.Registerer, m *Manager) {
	x := &metrics{m: m, descs: map[string]*prometheus.Desc{}}
	for name, help := range map[string]string{
		"up":                          "1 while the sink works, 0 while it fails or does not end.",
		"lag":                         "Sequences of the trail that the sink has not come to; an exchange has two or more.",
		"oldest_unsent_age_seconds":   "How long the oldest record that was not sent has been waiting; 0: there is none.",
		"sent_total":                  "Records that the receiver confirmed.",
		"sent_bytes_total":            "Bytes of these, in the sink's format.",
		"errors_total":                "Tries that failed.",
		"refused_total":               "Records that the receiver refused for good.",
		"dead_letters":                "Dead letters that are kept.",
		"dead_letters_dropped_total":  "Dead letters that gave way to newer ones.",
		"skipped_sequences_total":     "Sequences of the trail that were gone before they were sent.",
		"last_sent_timestamp_seconds": "When the receiver last confirmed a record; 0: not yet.",
		"replays":                     "Replays that are not done.",
	} {
		x.descs[name] = prometheus.NewDesc(prefix+name, help, []string{"sink"}, nil)
	}
	if r != nil {
		r.MustRegister(x)
	}
}

// Describe implements prometheus.Collector.
func (x *metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range x.descs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (x *metrics) Collect(out chan<- prometheus.Metric) {
	for _, s := range x.m.Status() {
		gauge := func(name string, v float64) {
			out <- prometheus.MustNewConstMetric(x.descs[name], prometheus.GaugeValue, v, s.Name)
		}
		counter := func(name string, v float64) {
			out <- prometheus.MustNewConstMetric(x.descs[name], prometheus.CounterValue, v, s.Name)
		}
		up, last, replays := 1.0, 0.0, 0
		if s.State != StateRunning {
			up = 0
		}
		if !s.LastSent.IsZero() {
			last = float64(s.LastSent.UnixNano()) / 1e9
		}
		for _, r := range s.Replays {
			if !r.Over() {
				replays++
			}
		}
		gauge("up", up)
		gauge("lag", float64(s.Lag))
		gauge("oldest_unsent_age_seconds", s.OldestAge.Seconds())
		counter("sent_total", float64(s.Sent))
		counter("sent_bytes_total", float64(s.SentBytes))
		counter("errors_total", float64(s.Errors))
		counter("refused_total", float64(s.Refused))
		gauge("dead_letters", float64(s.DeadLetters))
		counter("dead_letters_dropped_total", float64(s.DeadLettersDropped))
		counter("skipped_sequences_total", float64(s.Skipped))
		gauge("last_sent_timestamp_seconds", last)
		gauge("replays", float64(replays))
	}
}
