package usage

import (
	"time"

	"sluice/internal/audit"
)

// Counter is one of the numbers that are counted.
type Counter int

// The counters. Their order is that of the file: add at the end.
const (
	Requests        Counter = iota // all exchanges
	Answered                       // the client has the provider's answer
	ProviderErrors                 // the provider failed or refused
	GatewayErrors                  // this gateway failed
	Interrupted                    // the gateway ended before the exchange did
	Denied                         // the policy said no
	Refused                        // the request was wrong itself, or over a limit
	Unauthenticated                // no valid credential
	ClientGone                     // the client left before the end
	InputTokens                    // as far as providers told, as are the next four
	OutputTokens
	CachedTokens
	CacheWriteTokens
	ReasoningTokens
	CostNanoUSD  // 10⁻⁹ US dollars, as far as prices are known
	Unpriced     // answered exchanges whose cost is not known
	latencyNano  // sum over Answered, from arrival to the end
	Streamed     // answered piece by piece, with the time to the first one
	firstByteSum // sum of that time over Streamed, in nanoseconds

	counters
)

// Figures are sums over exchanges. The zero Figures are those of none.
type Figures struct {
	counts  [counters]uint64
	latency histogram // of Answered
	first   histogram // of Streamed, to the first byte
}

// Count returns a counter.
func (f *Figures) Count(c Counter) int64 { return int64(f.counts[c]) }

// Errors is how many ended by a fault of provider or gateway.
func (f *Figures) Errors() int64 {
	return f.Count(ProviderErrors) + f.Count(GatewayErrors) + f.Count(Interrupted)
}

// Latency returns the quantile q (0 to 1) of answered exchanges, from the
// request's arrival to the end of the answer, exact to 19 %. 0: none.
func (f *Figures) Latency(q float64) time.Duration { return f.latency.quantile(q) }

// FirstByte is Latency of streamed answers, to the first byte.
func (f *Figures) FirstByte(q float64) time.Duration { return f.first.quantile(q) }

// LatencyMean is the mean of answered exchanges. 0: none.
func (f *Figures) LatencyMean() time.Duration { return f.mean(latencyNano, Answered) }

// FirstByteMean is the mean time to the first byte of streamed answers. 0: none.
func (f *Figures) FirstByteMean() time.Duration { return f.mean(firstByteSum, Streamed) }

func (f *Figures) mean(sum, count Counter) time.Duration {
	if f.counts[count] == 0 {
		return 0
	}
	return time.Duration(f.counts[sum] / f.counts[count])
}

var counterOf = map[string]Counter{
	audit.ResultAnswered: Answered, audit.ResultProviderError: ProviderErrors, audit.ResultGatewayError: GatewayErrors,
	audit.ResultInterrupted: Interrupted, audit.ResultDenied: Denied, audit.ResultRefused: Refused,
	audit.ResultUnauthenticated: Unauthenticated, audit.ResultClientGone: ClientGone,
}

// count adds one exchange.
func (f *Figures) count(o *audit.Outcome, streamed bool) {
	f.counts[Requests]++
	if c, known := counterOf[o.Result]; known {
		f.counts[c]++
	}
	for _, of := range []struct {
		c Counter
		n int64
	}{
		{InputTokens, o.InputTokens}, {OutputTokens, o.OutputTokens}, {CachedTokens, o.CachedTokens},
		{CacheWriteTokens, o.CacheWriteTokens}, {ReasoningTokens, o.ReasoningTokens}, {CostNanoUSD, o.CostNanoUSD},
	} {
		if of.n > 0 { // audit.Unknown is below
			f.counts[of.c] += uint64(of.n)
		}
	}
	if o.Result != audit.ResultAnswered {
		return
	}
	if o.CostNanoUSD < 0 {
		f.counts[Unpriced]++
	}
	f.counts[latencyNano] += uint64(max(o.Duration, 0))
	f.latency.add(bucketOf(o.Duration), 1)
	if streamed && o.FirstByte > 0 {
		f.counts[Streamed]++
		f.counts[firstByteSum] += uint64(o.FirstByte)
		f.first.add(bucketOf(o.FirstByte), 1)
	}
}

// add adds the figures of others.
func (f *Figures) add(o *Figures) {
	for c, n := range o.counts {
		f.counts[c] += n
	}
	for bucket, n := range o.latency {
		if n > 0 {
			f.latency.add(bucket, n)
		}
	}
	for bucket, n := range o.first {
		if n > 0 {
			f.first.add(bucket, n)
		}
	}
}
