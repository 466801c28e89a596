package admin_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const mlflowFile = `
endpoints:
  - name: chat
    endpoint_type: llm/v1/chat
    model:
      provider: openai
      name: gpt-4
      config:
        openai_api_key: ` + canary + `
    limit: {calls: 10, renewal_period: minute}
  - name: claude
    endpoint_type: llm/v1/chat
    model: {provider: Anthropic, name: claude-3, config: {anthropic_api_key: ` + canary + `}}
    permissions: {users: [alice], organizations: [science]}
`

func TestApply(t *testing.T) {
	w := newWorld(t)
	w.create("other", nil)
	path := own + "/apply"
	result := func(r *reply) map[string]string {
		out := map[string]string{}
		for _, x := range r.must(200).json()["results"].([]any) {
			out[x.(map[string]any)["endpointName"].(string)] = x.(map[string]any)["change"].(string)
		}
		return out
	}
	assert.Equal(t, map[string]string{"chat": "created", "claude": "created"},
		result(w.as("root", "POST", path+"?isEveryoneAllowed=true", mlflowFile)))
	snapshot := w.catalog.Snapshot()
	chat, _ := snapshot.Get("chat")
	claude, _ := snapshot.Get("claude")
	assert.True(t, chat.Permissions.Everyone)
	assert.Equal(t, int64(10), chat.Limit.Calls)
	assert.False(t, claude.Permissions.Everyone)
	assert.Equal(t, "anthropic", claude.First().Provider)
	assert.Equal(t, []string{w.users["alice"]}, claude.Permissions.Users)
	assert.Equal(t, []string{w.science}, claude.Permissions.Organizations)
	assert.Contains(t, w.activated, "claude")

	records := len(w.records())
	assert.Equal(t, map[string]string{"chat": "unchanged", "claude": "unchanged"}, result(w.as("root", "POST", path, mlflowFile)))
	assert.Len(t, w.records(), records, "no change, no event")

	w.as("root", "PATCH", endpoints+"/chat/permissions", `{"isEveryoneAllowed":false}`).must(200)
	changed := `{"endpoints":[{"name":"chat","endpoint_type":"llm/v1/chat","extra":1,` +
		`"model":{"provider":"openai","name":"gpt-5","config":{"openai_api_key":"` + canary + `"}}}]}`
	r := w.as("root", "POST", path+"?isEveryoneAllowed=true", changed)
	assert.Equal(t, map[string]string{"chat": "updated"}, result(r))
	assert.Contains(t, r.at("warnings", 0), "endpoints[0].extra")
	now, _ := w.catalog.Snapshot().Get("chat")
	assert.Equal(t, chat.ID, now.ID)
	assert.False(t, now.Permissions.Everyone, "the permissions of what exists stay")
	assert.Equal(t, map[string]string{"modelName": "gpt-4 → gpt-5", "limit": "10 per minute → "}, changesOf(w.lastEvent("UpdateEndpoint")))
}

func TestApplyAllOrNothing(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ name, file, field, says string }{
		{"not YAML", "endpoints: [", "", "body:1"},
		{"no endpoints", "{}", "endpoints", "required"},
		{"routes", mlflowFile + "routes: [{name: r}]\n", "routes", "traffic routes are not supported"},
		{"second is bad", mlflowFile + "  - {name: x, endpoint_type: llm/v1/chat, model: {provider: acme, name: m}}\n",
			"modelProvider", `Endpoint "x"`},
		{"unknown user", mlflowFile + "  - {name: x, endpoint_type: llm/v1/chat, permissions: {users: [nobody]}, " +
			"model: {provider: openai, name: m, config: {openai_api_key: k}}}\n", "permissions.users", `"nobody"`},
		{"unknown organization", mlflowFile + "  - {name: x, endpoint_type: llm/v1/chat, permissions: {organizations: [nobody]}, " +
			"model: {provider: openai, name: m, config: {openai_api_key: k}}}\n", "permissions.organizations", `"nobody"`},
		{"references are for clients", "endpoints: [{name: x, endpoint_type: llm/v1/chat, model: {provider: openai, name: m, " +
			"config: {openai_api_base: 'file:/etc/passwd'}}}]", "modelConfig.openai_api_key", `Endpoint "x"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := w.as("root", "POST", own+"/apply", c.file).must(400)
			assert.Contains(t, r.at("error"), c.says)
			if c.field != "" {
				assert.Equal(t, c.field, r.at("field"))
			}
		})
	}
	assert.Empty(t, w.catalog.Snapshot().All())
	require.Empty(t, w.records())
}
