package admin_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestExplainPolicy(t *testing.T) {
	w := newWorld(t)
	w.as("root", "POST", endpoints, `{"endpointName":"chat","endpointType":"llm/v1/chat","modelProvider":"practice","modelName":"m",`+
		`"modelConfig":{},"endpointPermissions":{"organizationIds":["`+w.science+`"]}}`).must(200)
	path := own + "/policies/explain"
	ask := func(body string) *reply { return w.as("root", "POST", path, body).must(200) }
	yes := ask(`{"user":"bob","endpointName":"chat"}`)
	assert.Equal(t, true, yes.at("invoke", "allow"))
	assert.Equal(t, true, yes.at("view", "allow"))
	assert.Equal(t, "chat", yes.at("operation"))
	no := ask(`{"user":"` + w.users["alice"] + `","endpointName":"chat"}`)
	assert.Equal(t, false, no.at("invoke", "allow"))
	assert.Equal(t, false, no.at("view", "allow"))
	assert.NotEmpty(t, no.at("invoke", "reasons"))
	wrong := ask(`{"user":"bob","endpointName":"chat","operation":"embeddings"}`)
	assert.Equal(t, false, wrong.at("invoke", "allow"))
	assert.Equal(t, true, ask(`{"user":"bob","endpointName":"chat","operation":"native"}`).at("invoke", "allow"))
	w.as("root", "PATCH", own+"/users/"+w.users["bob"], `{"disabled":true}`).must(200)
	off := ask(`{"user":"bob","endpointName":"chat"}`)
	assert.Equal(t, false, off.at("view", "allow"))
	for field, body := range map[string]string{
		"user": `{"user":"nobody","endpointName":"chat"}`, "endpointName": `{"user":"alice","endpointName":"x"}`,
		"operation": `{"user":"alice","endpointName":"chat","operation":"dance"}`,
	} {
		assert.Equal(t, field, w.as("root", "POST", path, body).must(400).at("field"))
	}
}
