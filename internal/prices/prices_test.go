package prices_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/provider"
	"sluice/internal/prices"
)

func load(t testing.TB, override string) *prices.Table {
	t.Helper()
	table, err := prices.Load([]byte(override))
	require.NoError(t, err)
	return table
}

// in is a call's tokens: input, output, and of input cached and written.
func in(input, output, cached, write int64) prices.Tokens {
	return prices.Tokens{Input: input, Output: output, Cached: cached, CacheWrite: write}
}

func TestCost(t *testing.T) {
	table := load(t, "")
	for _, c := range []struct {
		name, provider, model string
		tokens                prices.Tokens
		nano                  int64
	}{
		{"input and output", "openai", "gpt-4o-mini", in(1_000_000, 1_000_000, 0, 0), 750_000_000},
		{"one token", "openai", "gpt-4o", in(1, 0, 0, 0), 2500},
		{"cached input", "openai", "gpt-4o", in(1000, 100, 400, 0), 600*2500 + 400*1250 + 100*10000},
		{"cache read and written", "anthropic", "claude-haiku-4-5-20251001", in(1000, 10, 300, 200), 500*1000 + 300*100 + 200*1250 + 10*5000},
		{"a dated name", "openai", "gpt-4o-2024-08-06", in(1, 0, 0, 0), 2500},
		{"a dated name of its own price", "openai", "gpt-4o-2024-05-13", in(1, 0, 0, 0), 5000},
		{"the longest beginning wins", "openai", "gpt-4o-mini-2024-07-18", in(1000, 0, 0, 0), 150_000},
		{"short of the long price", "gemini", "gemini-2.5-pro", in(200_000, 1, 0, 0), 200_000*1250 + 10_000},
		{"the long price", "gemini", "gemini-2.5-pro", in(200_001, 1, 0, 0), 200_001*2500 + 15_000},
		{"Gemini's own form of a name", "gemini", "models/gemini-2.5-flash", in(10, 0, 0, 0), 3000},
		{"Azure as OpenAI", "azure", "gpt-4.1", in(1, 1, 0, 0), 2000 + 8000},
		{"Claude on Vertex", "vertex_ai", "claude-sonnet-4-5@20250929", in(1, 1, 0, 0), 3000 + 15000},
		{"Bedrock", "bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0", in(1, 0, 0, 0), 1000},
		{"Bedrock's region group has its own price", "bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0", in(1, 0, 0, 0), 1100},
		{"Bedrock's region group as the model", "bedrock", "apac.amazon.nova-micro-v1:0", in(1000, 0, 0, 0), -1},
		{"Bedrock's profile", "bedrock", "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0", in(1, 0, 0, 0), 800},
		{"an embedding", "openai", "text-embedding-3-small", in(1000, -1, -1, -1), 20_000},
		{"less than a nano is rounded", "bedrock", "amazon.nova-micro-v1:0", in(1, 0, 1, 0), 9}, // 8.75
		{"more cached than input", "openai", "gpt-4o", in(10, 0, 20, 0), 20 * 1250},
		{"nothing", "openai", "gpt-4o", in(0, 0, 0, 0), 0},
		{"what nobody can have used", "openai", "o1-pro", in(math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64), -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := table.Cost(c.provider, c.model, c.tokens)
			require.True(t, ok)
			if c.nano >= 0 {
				require.Equal(t, c.nano, got)
			}
			require.GreaterOrEqual(t, got, int64(0))
		})
	}
}

func TestNoCost(t *testing.T) {
	table := load(t, "")
	for _, c := range []struct {
		name, provider, model string
		tokens                prices.Tokens
	}{
		{"unknown provider", "acme", "gpt-4o", in(1, 1, 0, 0)},
		{"unknown model", "openai", "my-model", in(1, 1, 0, 0)},
		{"a name that only begins like another", "openai", "gpt-4o-audio-preview", in(1, 1, 0, 0)},
		{"nothing reported", "openai", "gpt-4o", in(-1, -1, -1, -1)},
		{"an application's own profile", "bedrock", "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123", in(1, 1, 0, 0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, ok := table.Cost(c.provider, c.model, c.tokens)
			assert.False(t, ok)
		})
	}
}

func TestOverride(t *testing.T) {
	table := load(t, `{"date": "2030-01-02", "providers": {
		"openai": {"models": {"gpt-4o": {"input": 1, "output": 2}}},
		"acme": {"source": "a contract", "models": {"acme-*": {"input": 0.5, "long": {"above": 10, "input": 0.25}}}},
		"azure": {"models": {"prod": {"input": 7, "output": 8, "cached_input": 0, "cache_write": 9}}},
		"openrouter": {"like": ["acme"], "models": {}},
		"portkey": {"like": ["mistral"]}
	}}`)
	assert.Equal(t, load(t, "").Date(), table.Date(), "the other prices are as old as they were")
	dates := map[string]string{}
	for _, p := range table.List() {
		for _, m := range p.Models {
			dates[p.Provider+" "+m.Model] = m.Date
		}
	}
	assert.Equal(t, "2030-01-02", dates["openai gpt-4o"])
	assert.Equal(t, "2030-01-02", dates["openrouter acme-*"])
	for _, model := range []string{"openai gpt-4o-mini", "portkey mistral-large-latest"} {
		date, there := dates[model]
		assert.True(t, there, model)
		assert.Empty(t, date, model)
	}
	for _, c := range []struct {
		provider, model string
		tokens          prices.Tokens
		nano            int64
	}{
		{"openai", "gpt-4o", in(2, 1, 1, 0), 4000},
		{"openai", "gpt-4o-mini", in(1000, 0, 0, 0), 150_000},
		{"azure", "gpt-4o", in(1, 0, 0, 0), 2500}, // another contract
		{"azure", "prod", in(3, 1, 1, 1), 7000 + 9000 + 8000},
		{"acme", "acme-1", in(10, 0, 0, 0), 5000},
		{"acme", "acme-1", in(11, 0, 0, 0), 2750},
		{"openrouter", "acme-1", in(1, 5, 0, 0), 500},
	} {
		got, ok := table.Cost(c.provider, c.model, c.tokens)
		require.True(t, ok, c)
		assert.Equal(t, c.nano, got, c)
	}
}

func TestBadOverride(t *testing.T) {
	row := func(s string) string { return `{"providers":{"p":{"models":{"m":` + s + `}}}}` }
	for _, c := range []struct{ name, file, says string }{
		{"no JSON", `{`, "unexpected EOF"},
		{"more", `{} {}`, "something follows"},
		{"unknown key", `{"prices":{}}`, "unknown field"},
		{"date", `{"date":"yesterday"}`, "date: "},
		{"no object", `{"providers":{"p":null}}`, "providers.p: an object"},
		{"no input", row(`{"output":1}`), "providers.p.models.m.input: this price is missing"},
		{"negative", row(`{"input":-1}`), "providers.p.models.m.input: a price from 0"},
		{"exponent", row(`{"input":1e3}`), "providers.p.models.m.input: a price from 0"},
		{"too exact", row(`{"input":0.0000001}`), "at most 6 decimals"},
		{"text", row(`{"input":"cheap"}`), "invalid number"},
		{"large", row(`{"input":1000}`), "from 0 to 999"},
		{"cached", row(`{"input":1,"cached_input":-1}`), "providers.p.models.m.cached_input: "},
		{"long without its bound", row(`{"input":1,"long":{"input":2}}`), "providers.p.models.m.long.above: "},
		{"bad long", row(`{"input":1,"long":{"above":5}}`), "providers.p.models.m.long.input: "},
		{"like nobody", `{"providers":{"p":{"like":["q"]}}}`, `providers.p.like: "q"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := prices.Load([]byte(c.file))
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestBuiltIn(t *testing.T) {
	table := load(t, "")
	_, err := time.Parse(time.DateOnly, table.Date())
	require.NoError(t, err)
	require.NotEmpty(t, table.List())
	for _, p := range table.List() {
		assert.NotEmpty(t, p.Source, p.Provider)
		assert.NotEmpty(t, p.Models, p.Provider)
		if row, known := provider.Lookup(p.Provider); known {
			assert.Equal(t, row.ID, p.Provider, "prices are found by the canonical id")
		}
		for _, m := range p.Models {
			_, err := json.Marshal(m)
			require.NoError(t, err)
		}
	}
}

func TestCostAllocatesNothing(t *testing.T) {
	table := load(t, "")
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		table.Cost("bedrock", "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0", in(1, 1, 0, 0))
	}))
}

func BenchmarkCost(b *testing.B) {
	table := load(b, "")
	for b.Loop() {
		table.Cost("bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0", in(1000, 100, 10, 0))
	}
}
