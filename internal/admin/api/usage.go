package api

import (
	"reflect"
	"time"
)

// Ways to group usage.
const (
	UsageByTime         = "time"
	UsageByEndpoint     = "endpoint"
	UsageByOrganization = "organization"
	UsageByUser         = "user"
	UsageByModel        = "model"
	UsageByProject      = "project"
)

// Lengths of the intervals of usage by time.
const (
	IntervalHour = "hour"
	IntervalDay  = "day"
)

// UsageFields are the names of the figures in JSON, in order, requests first.
// Rows can be sorted by each.
var UsageFields = func() []string {
	var names []string
	for f := range reflect.TypeFor[UsageFigures]().Fields() {
		names = append(names, f.Tag.Get("json"))
	}
	return names
}()

// UsageFigures are counts and sums of exchanges.
type UsageFigures struct {
	Requests        int64 `json:"requests"`        // all exchanges
	Answered        int64 `json:"answered"`        // the client has the provider's answer
	Errors          int64 `json:"errors"`          // the sum of the next three
	ProviderErrors  int64 `json:"providerErrors"`  // the provider failed or refused
	GatewayErrors   int64 `json:"gatewayErrors"`   // this gateway failed
	Interrupted     int64 `json:"interrupted"`     // the gateway ended before the exchange did
	Denied          int64 `json:"denied"`          // the policy said no
	Refused         int64 `json:"refused"`         // the request was wrong itself, or over a rate limit
	Unauthenticated int64 `json:"unauthenticated"` // without a valid credential
	ClientGone      int64 `json:"clientGone"`      // the client left before the end

	// Tokens as far as providers told. Input holds the cached and cache-written
	// ones, output the reasoning.
	InputTokens      int64 `json:"inputTokens"`
	OutputTokens     int64 `json:"outputTokens"`
	CachedTokens     int64 `json:"cachedTokens"`
	CacheWriteTokens int64 `json:"cacheWriteTokens"`
	ReasoningTokens  int64 `json:"reasoningTokens"`
	CostNanoUSD      int64 `json:"costNanoUsd"` // 10⁻⁹ US dollars, as far as prices are known
	Unpriced         int64 `json:"unpriced"`    // answered exchanges that CostNanoUSD lacks

	// Latency of answered exchanges, from the request's arrival to the end of the
	// answer, in milliseconds; 0 where none was answered. The mean is exact,
	// percentiles are to 19 %.
	LatencyMeanMillis float64 `json:"latencyMeanMillis"`
	LatencyP50Millis  float64 `json:"latencyP50Millis"`
	LatencyP95Millis  float64 `json:"latencyP95Millis"`
	LatencyP99Millis  float64 `json:"latencyP99Millis"`
	// Streamed of the answered exchanges came piece by piece; the following are
	// their time to the first byte.
	Streamed            int64   `json:"streamed"`
	FirstByteMeanMillis float64 `json:"firstByteMeanMillis"`
	FirstByteP50Millis  float64 `json:"firstByteP50Millis"`
	FirstByteP95Millis  float64 `json:"firstByteP95Millis"`
}

// UsageRow counts the exchanges of one group. A user in several organizations
// counts in each of them.
type UsageRow struct {
	// Start is the beginning of the interval, in groups by time.
	Start *time.Time `json:"start,omitempty"`
	// ID and Name say what the row is about: an id of an endpoint, organization or
	// user and its name, which is the last known one where it was deleted;
	// "provider/model" or the project twice. Both are absent for what has none: a
	// caller who was not known, a request that named no endpoint, a user in no
	// organization.
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
	// Deleted: there is no endpoint, organization or user of this id any more.
	Deleted bool `json:"deleted,omitempty"`
	UsageFigures
}

// Usage is the answer of GET /api/sluice/v1/usage.
type Usage struct {
	// From and To are what was asked for, rounded out to whole hours, or to whole
	// days where hours are not kept any more.
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	GroupBy  string    `json:"groupBy"`
	Interval string    `json:"interval,omitempty"` // IntervalHour or IntervalDay, in groups by time
	// Total is over all groups; an exchange that is in several counts once.
	Total    UsageFigures `json:"total"`
	Rows     []UsageRow   `json:"rows"`
	Metadata Metadata     `json:"metadata"`
}

// UsageRebuild says that usage is being counted anew.
type UsageRebuild struct {
	Rebuilding bool `json:"rebuilding"`
}
