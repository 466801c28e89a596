package admin_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/admin"
	"sluice/internal/prices"
)

func TestPrices(t *testing.T) {
	w := newWorld(t)
	built := w.as("alice", "GET", own+"/prices", "").must(200)
	assert.Equal(t, "USD per million tokens", built.at("unit"))
	assert.NotEmpty(t, built.at("providers"))
	table, err := prices.Load([]byte(`{"date":"2030-01-02","providers":{"aaa":{"models":{"m":{"input":0.25,"output":1,"cached_input":0.1}}}}}`))
	require.NoError(t, err)
	w.serve(func(d *admin.Deps) { d.Prices = table })
	r := w.as("alice", "GET", own+"/prices", "").must(200)
	assert.NotEqual(t, "2030-01-02", r.at("date"))
	assert.Equal(t, map[string]any{"provider": "aaa", "models": []any{
		map[string]any{"model": "m", "date": "2030-01-02", "input": 0.25, "output": 1.0, "cached_input": 0.1},
	}}, r.at("providers", 0))
}
