package provider

import (
	_ "embed"
	"encoding/json"
)

//go:embed models.json
var modelsJSON []byte

// knownModels are the models that pickers offer, per provider and endpoint
// type. They are suggestions: a provider takes any name it knows itself.
var knownModels = readModels(modelsJSON)

func readModels(b []byte) map[string]map[string][]string {
	var m map[string]map[string][]string
	if err := json.Unmarshal(b, &m); err != nil {
		panic("models.json: " + err.Error())
	}
	return m
}
