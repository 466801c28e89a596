package api

import "time"

// Ways to group usage.
const (
	UsageByTime         = "time"
	UsageByEndpoint     = "endpoint"
	UsageByOrganization = "organization"
	UsageByUser         = "user"
	UsageByModel        = "model"
)

// UsageRow counts the exchanges of one group. A user in several organizations
// counts in each of them.
type UsageRow struct {
	// Start is the beginning of the interval, in groups by time.
	Start *time.Time `json:"start,omitempty"`
	// ID and Name say what the row is about: an id of an endpoint, organization or
	// user and its name; for a model "provider/model" twice.
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`

	Requests     int64 `json:"requests"`     // all exchanges
	Errors       int64 `json:"errors"`       // those that ended by a fault of provider or gateway
	Denied       int64 `json:"denied"`       // those that the policy refused
	Refused      int64 `json:"refused"`      // those that were wrong themselves, rate limits among them
	InputTokens  int64 `json:"inputTokens"`  // as far as providers told
	OutputTokens int64 `json:"outputTokens"` // as far as providers told
	CostNanoUSD  int64 `json:"costNanoUsd"`  // 10⁻⁹ US dollars, as far as prices are known
	// Latency of answered exchanges, from the request's arrival to the end of the
	// answer, in milliseconds; 0 where none was answered.
	LatencyMeanMillis float64 `json:"latencyMeanMillis"`
	LatencyP50Millis  float64 `json:"latencyP50Millis"`
	LatencyP95Millis  float64 `json:"latencyP95Millis"`
	LatencyP99Millis  float64 `json:"latencyP99Millis"`
}

// Usage is the answer of GET /api/sluice/v1/usage.
type Usage struct {
	From     time.Time  `json:"from"`
	To       time.Time  `json:"to"`
	GroupBy  string     `json:"groupBy"`
	Interval string     `json:"interval,omitempty"` // "hour" or "day", in groups by time
	Total    UsageRow   `json:"total"`
	Rows     []UsageRow `json:"rows"`
	Metadata Metadata   `json:"metadata"`
}
