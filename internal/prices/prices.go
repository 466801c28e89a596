// Package prices says what a call of a model costs. The prices are the
// providers' public list prices in USD per million tokens; they ship as data
// with a date, and a file may replace them one by one. Discounts, batch prices,
// prices of images, of audio and of tools are not in it: the cost is an
// estimate.
package prices

import "strings"

// Tokens are the tokens of one call; -1 (any negative number): not reported.
// Cached and CacheWrite are part of Input: the tokens of the prompt that were
// read from the provider's cache, and those that were written to it. Reasoning
// is part of Output.
type Tokens struct {
	Input, Output, Cached, CacheWrite int64
}

// Table is a table of prices. It is immutable.
type Table struct {
	date      string
	list      []Provider
	providers map[string]*models
}

// models are the prices of a provider: of names, and of what names begin with.
type models struct {
	exact    map[string]*price
	prefixes []prefix // longest first
}

type prefix struct {
	text  string
	price *price
}

// price is that of a model. What a call with more than above tokens of input
// costs, all of it, is in long; 0: there is no such price.
type price struct {
	rate
	above int64
	long  rate
}

// rate is in picoUSD (1e-12) per token, so that every list price is a whole
// number: 1 USD per million tokens is 1,000,000 picoUSD per token.
type rate struct {
	input, output, cached, write int64
}

// Date is the day on which the built-in prices were read, as 2006-01-02. Those
// of an override have a day of their own.
func (t *Table) Date() string { return t.date }

// Cost is what a call costs, in nanoUSD (1e-9), rounded to the nearest. provider
// is the registry's canonical id, model the provider's name of the model: of
// those that fit, the exact name wins, then the longest beginning. ok is false
// where there is no price, or where the provider reported no tokens.
func (t *Table) Cost(provider, model string, u Tokens) (nanoUSD int64, ok bool) {
	p := t.find(provider, model)
	if p == nil || u.Input < 0 && u.Output < 0 {
		return 0, false
	}
	r := &p.rate
	if p.above > 0 && u.Input > p.above {
		r = &p.long
	}
	return r.cost(u), true
}

// maxTokens bounds what is believed of one count, so that sums stay in range
// whatever a provider reports.
const maxTokens = 1_000_000_000

func (r *rate) cost(u Tokens) int64 {
	cached := bound(u.Cached)
	written := bound(u.CacheWrite)
	plain := max(bound(u.Input)-cached-written, 0)
	// Four products below 1e9 × 1e9: the sum is in range.
	pico := plain*r.input + cached*r.cached + written*r.write + bound(u.Output)*r.output
	return (pico + 500) / 1000
}

func bound(n int64) int64 { return min(max(n, 0), maxTokens) }

func (t *Table) find(provider, model string) *price {
	m := t.providers[provider]
	if m == nil {
		return nil
	}
	if p := m.find(model); p != nil {
		return p
	}
	if short := bare(provider, model); short != model {
		return m.find(short)
	}
	return nil
}

func (m *models) find(model string) *price {
	if p := m.exact[model]; p != nil {
		return p
	}
	for i := range m.prefixes {
		if strings.HasPrefix(model, m.prefixes[i].text) {
			return m.prefixes[i].price
		}
	}
	return nil
}

// bare is a model's name without what says only where it is called: the region
// group of Bedrock's inference profiles ("us.") and the ARN before it, and the
// "models/" of Gemini's names.
func bare(provider, model string) string {
	switch provider {
	case "bedrock":
		if strings.HasPrefix(model, "arn:") {
			model = model[strings.LastIndexByte(model, '/')+1:]
		}
		switch group, rest, _ := strings.Cut(model, "."); group {
		case "us", "eu", "apac", "global", "us-gov", "jp", "au", "ca":
			return rest
		}
	case "gemini", "vertex_ai":
		return strings.TrimPrefix(model, "models/")
	}
	return model
}
