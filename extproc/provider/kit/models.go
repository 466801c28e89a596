package kit

import (
	_ "embed"
	"encoding/json"
)

//go:embed models.json
var modelsJSON []byte

var knownModels = readModels(modelsJSON)

// KnownModels are the models of a provider that pickers offer, per endpoint
// type. They are suggestions: a provider takes any name it knows itself.
func KnownModels(provider string) map[string][]string { return knownModels[provider] }

func readModels(b []byte) map[string]map[string][]string {
	var m map[string]map[string][]string
	if err := json.Unmarshal(b, &m); err != nil {
		panic("models.json: " + err.Error())
	}
	return m
}
