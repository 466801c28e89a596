package admin_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/provider"
)

// Every row of the registry is told whole, and in the same words everywhere.
func TestProviders(t *testing.T) {
	w := newWorld(t)
	list := w.as("alice", "GET", own+"/providers", "").must(200).at("providers").([]any)
	models := w.as("alice", "GET", "/v4/aigateway/provider-models", "").must(200).at("modelsMap").(map[string]any)
	all := provider.All()
	require.Len(t, list, len(all))
	require.Len(t, models, len(all))
	for i, p := range all {
		shown := list[i].(map[string]any)
		assert.Equal(t, p.ID, shown["id"])
		assert.Equal(t, p.Title, shown["title"])
		assert.Equal(t, p.Native != nil, shown["native"])
		assert.Len(t, shown["types"], len(p.Types))
		assert.Len(t, shown["aliases"], len(p.Aliases))
		schema := w.as("alice", "GET", own+"/providers/"+p.ID+"/schema", "").must(200)
		assert.JSONEq(t, string(p.Schema()), schema.body)
		assert.Equal(t, "application/schema+json", schema.header.Get("Content-Type"))
		required := []any{}
		fields := shown["fields"].([]any)
		require.Len(t, fields, len(p.Fields))
		for j, f := range p.Fields {
			field := fields[j].(map[string]any)
			assert.Equal(t, []any{f.Name, f.Secret, f.Required}, []any{field["name"], field["secret"], field["required"]})
			if f.Required || f.Usual {
				required = append(required, f.Name)
			}
		}
		assert.Equal(t, required, w.as("alice", "GET", "/v4/aigateway/provider-configs?modelProvider="+p.ID, "").must(200).at())
		for _, kind := range p.Types {
			assert.Contains(t, models[p.ID], kind)
			assert.Contains(t, shown["models"], kind)
		}
	}
	assert.Equal(t, "provider_not_found", w.as("alice", "GET", own+"/providers/acme/schema", "").must(404).at("code"))
	assert.Equal(t, "modelProvider", w.as("alice", "GET", "/v4/aigateway/provider-configs", "").must(400).at("field"))
}
