package mosaicml_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"sluice/extproc/provider/kit"
	"sluice/extproc/provider/mosaicml"
	"sluice/extproc/provider/providertest"
)

// TestMLflow holds MLflow's dialect against MLflow's own server.
func TestMLflow(t *testing.T) {
	providertest.MLflow(t, mosaicml.Provider, "testdata/mlflow.jsonl", map[string]func(*testing.T, kit.Reply){
		"chat parts":  nil, // MLflow writes Python's form of the list into the prompt
		"chat stream": providertest.Status(http.StatusNotImplemented),
	})
	call, e := providertest.Open(t, mosaicml.Provider, target, "mlflow", "chat",
		`{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}`)
	assert.Nil(t, e)
	assert.JSONEq(t, `{"inputs":["<s>[INST] a\nb [/INST]"],"parameters":{"n":1}}`, string(call.Upstream().Body))
}

var target = kit.Target{Provider: "mosaicml", Model: "llama2-70b-chat", Config: map[string]string{"mosaicml_api_key": "mo-Zq8vT3mLx0Yc5RbN7dKw"}}
