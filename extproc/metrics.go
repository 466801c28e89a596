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
	cost      *prometheus.CounterVec
	attempts  *prometheus.CounterVec
	decisions *prometheus.CounterVec
	streams   prometheus.Gauge
	unwritten prometheus.Counter
	// turnedAway counts what is refused without a record.
	turnedAway prometheus.Counter
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
		cost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_cost_usd_total", Help: "Cost of the tokens by the price table, in US dollars, by endpoint."},
			[]string{"endpoint"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_target_failures_total", Help: "Attempts at one of several targets that failed, by endpoint and target."},
			[]string{"endpoint", "target"}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_decisions_total", Help: "Policy decisions about calls, by result and reason code."},
			[]string{"result", "code"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_extproc_streams", Help: "Exchanges open between Envoy and the ext_proc server."}),
		unwritten: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_audit_unwritten_total", Help: "Records that the trail refused to take."}),
		turnedAway: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_strangers_turned_away_total",
			Help: "Calls by nobody known that were turned away, without a record, because their address sent very many."}),
	}
	r.MustRegister(m.requests, m.duration, m.firstByte, m.tokens, m.cost, m.attempts, m.decisions, m.streams, m.unwritten, m.turnedAway)
	return m
}

// entryMetrics are the metrics of one endpoint, looked up once.
type entryMetrics struct {
	duration, firstByte prometheus.Observer
	answered            map[dialect.Dialect]prometheus.Counter
	tokens              [5]prometheus.Counter // as tokensOf
	cost                prometheus.Counter
}

// tokenKinds are the kinds of tokens, as tokensOf has them.
var tokenKinds = [5]string{"input", "output", "cached", "reasoning", "cache_write"}

func tokensOf(o *audit.Outcome) [5]int64 {
	return [5]int64{o.InputTokens, o.OutputTokens, o.CachedTokens, o.ReasoningTokens, o.CacheWriteTokens}
}

var clientDialects = [...]dialect.Dialect{
	dialect.MLflow, dialect.OpenAI, dialect.Responses, dialect.Anthropic, dialect.Gemini, dialect.Native,
}

func (m *Metrics) entry(e *Entry) *entryMetrics {
	if em := e.metrics.Load(); em != nil {
		return em
	}
	name := e.Endpoint.Name
	em := &entryMetrics{
		duration: m.duration.WithLabelValues(name), firstByte: m.firstByte.WithLabelValues(name),
		answered: make(map[dialect.Dialect]prometheus.Counter, len(clientDialects)),
		cost:     m.cost.WithLabelValues(name),
	}
	for i, kind := range tokenKinds {
		em.tokens[i] = m.tokens.WithLabelValues(name, kind)
	}
	for _, d := range clientDialects {
		em.answered[d] = m.requests.WithLabelValues(name, string(d), audit.ResultAnswered)
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
	if c, ok := em.answered[d]; ok && o.Result == audit.ResultAnswered {
		c.Inc()
	} else {
		m.requests.WithLabelValues(e.Endpoint.Name, string(d), o.Result).Inc()
	}
	em.duration.Observe(o.Duration.Seconds())
	if o.FirstByte > 0 {
		em.firstByte.Observe(o.FirstByte.Seconds())
	}
	for i, n := range tokensOf(o) {
		if n > 0 {
			em.tokens[i].Add(float64(n))
		}
	}
	if o.CostNanoUSD > 0 {
		em.cost.Add(float64(o.CostNanoUSD) / 1e9)
	}
	for i := range o.Attempts {
		if a := &o.Attempts[i]; a.Code != "" || a.Status >= 400 {
			m.attempts.WithLabelValues(e.Endpoint.Name, a.Target).Inc()
		}
	}
}

// Forget drops the series of an endpoint that was deleted.
func (m *Metrics) Forget(name string) {
	by := prometheus.Labels{"endpoint": name}
	m.requests.DeletePartialMatch(by)
	m.duration.DeletePartialMatch(by)
	m.firstByte.DeletePartialMatch(by)
	m.tokens.DeletePartialMatch(by)
	m.cost.DeletePartialMatch(by)
	m.attempts.DeletePartialMatch(by)
}

func since(start, now time.Time) time.Duration { return max(0, now.Sub(start)) }
