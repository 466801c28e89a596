package extproc

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/extproc/dialect"
	"sluice/internal/audit"
)

// Metrics counts exchanges. Labels are bounded: endpoints are named by
// administrators, everything else is a fixed set of words.
type Metrics struct {
	requests  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	firstByte *prometheus.HistogramVec
	tokens    *prometheus.CounterVec
	decisions *prometheus.CounterVec
	streams   prometheus.Gauge
	unwritten prometheus.Counter
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	seconds := []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_exchanges_total", Help: "Exchanges that ended, by endpoint, client dialect and result."},
			[]string{"endpoint", "dialect", "result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sluice_exchange_duration_seconds", Help: "Time from the request's head to the reply's last byte.", Buckets: seconds},
			[]string{"endpoint"}),
		firstByte: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sluice_time_to_first_token_seconds", Help: "Time from the request's head to the first streamed chunk.", Buckets: seconds},
			[]string{"endpoint"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_tokens_total", Help: "Tokens that providers reported, by endpoint and kind."},
			[]string{"endpoint", "kind"}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_decisions_total", Help: "Policy decisions about calls, by result and reason code."},
			[]string{"result", "code"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_extproc_streams", Help: "Exchanges open between Envoy and the ext_proc server."}),
		unwritten: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_audit_unwritten_total", Help: "Records that the trail refused to take."}),
	}
	r.MustRegister(m.requests, m.duration, m.firstByte, m.tokens, m.decisions, m.streams, m.unwritten)
	return m
}

// entryMetrics are the metrics of one endpoint, looked up once.
type entryMetrics struct {
	duration, firstByte      prometheus.Observer
	input, output            prometheus.Counter
	answered                 [2]prometheus.Counter // MLflow, OpenAI
	cachedTokens, reasonings prometheus.Counter
}

func (m *Metrics) entry(e *Entry) *entryMetrics {
	if em := e.metrics.Load(); em != nil {
		return em
	}
	name := e.Endpoint.Name
	em := &entryMetrics{
		duration:     m.duration.WithLabelValues(name),
		firstByte:    m.firstByte.WithLabelValues(name),
		input:        m.tokens.WithLabelValues(name, "input"),
		output:       m.tokens.WithLabelValues(name, "output"),
		cachedTokens: m.tokens.WithLabelValues(name, "cached"),
		reasonings:   m.tokens.WithLabelValues(name, "reasoning"),
		answered: [2]prometheus.Counter{
			m.requests.WithLabelValues(name, string(dialect.MLflow), audit.ResultAnswered),
			m.requests.WithLabelValues(name, string(dialect.OpenAI), audit.ResultAnswered),
		},
	}
	e.metrics.Store(em)
	return em
}

// ended counts one exchange that ended.
func (m *Metrics) ended(e *Entry, d dialect.Dialect, o *audit.Outcome) {
	if e == nil {
		m.requests.WithLabelValues("", string(d), o.Result).Inc()
		return
	}
	em := m.entry(e)
	switch {
	case o.Result == audit.ResultAnswered && d == dialect.MLflow:
		em.answered[0].Inc()
	case o.Result == audit.ResultAnswered && d == dialect.OpenAI:
		em.answered[1].Inc()
	default:
		m.requests.WithLabelValues(e.Endpoint.Name, string(d), o.Result).Inc()
	}
	em.duration.Observe(o.Duration.Seconds())
	if o.FirstByte > 0 {
		em.firstByte.Observe(o.FirstByte.Seconds())
	}
	add := func(c prometheus.Counter, n int64) {
		if n > 0 {
			c.Add(float64(n))
		}
	}
	add(em.input, int64(o.InputTokens))
	add(em.output, int64(o.OutputTokens))
	add(em.cachedTokens, int64(o.CachedTokens))
	add(em.reasonings, int64(o.ReasoningTokens))
}

// Forget drops the series of an endpoint that was deleted.
func (m *Metrics) Forget(name string) {
	by := prometheus.Labels{"endpoint": name}
	m.requests.DeletePartialMatch(by)
	m.duration.DeletePartialMatch(by)
	m.firstByte.DeletePartialMatch(by)
	m.tokens.DeletePartialMatch(by)
}

func since(start, now time.Time) time.Duration { return max(0, now.Sub(start)) }
