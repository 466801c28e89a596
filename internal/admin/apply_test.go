package admin_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

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

func TestApplyRoutesAndTargets(t *testing.T) {
	w := newWorld(t)
	file := mlflowFile + `
  - name: safe
    endpoint_type: llm/v1/chat
    head_timeout: 30s
    targets:
      - {name: main, model: {provider: openai, name: gpt-4, config: {openai_api_key: ` + canary + `}}}
      - {name: spare, order: 1, model: {provider: anthropic, name: claude-3, config: {anthropic_api_key: ` + canary + `}}}
routes:
  - name: split
    task_type: llm/v1/chat
    destinations: [{name: chat, traffic_percentage: 70}, {name: claude, traffic_percentage: 30}]
    permissions: {users: [bob]}
`
	results := func(file string) string {
		var out []string
		for _, x := range w.as("root", "POST", own+"/apply", file).must(200).json()["results"].([]any) {
			out = append(out, x.(map[string]any)["endpointName"].(string)+" "+x.(map[string]any)["change"].(string))
		}
		return strings.Join(out, ", ")
	}
	assert.Equal(t, "chat created, claude created, safe created, split created", results(file))
	split := w.endpoint("split")
	assert.Equal(t, "chat claude", targetNames(split))
	assert.Equal(t, []int{70, 30}, []int{split.Targets[0].Weight, split.Targets[1].Weight})
	assert.Equal(t, canary, split.Targets[1].Secrets["anthropic_api_key"], "a route has keys of its own")
	assert.Equal(t, []string{w.users["bob"]}, split.Permissions.Users)
	assert.Equal(t, 30*time.Second, w.endpoint("safe").HeadTimeout)
	records := len(w.records())
	assert.Equal(t, "chat unchanged, claude unchanged, safe unchanged, split unchanged", results(file))
	assert.Len(t, w.records(), records)

	moved := strings.NewReplacer("percentage: 70", "percentage: 60", "percentage: 30", "percentage: 40").Replace(file)
	assert.Equal(t, "chat unchanged, claude unchanged, safe unchanged, split updated", results(moved))
	assert.Equal(t, map[string]string{"targets.chat.weight": "70 → 60", "targets.claude.weight": "30 → 40"},
		changesOf(w.lastEvent("UpdateEndpoint")))
	assert.Equal(t, split.Targets[0].ID, w.endpoint("split").Targets[0].ID, "a target keeps its id")
	claude := strings.ReplaceAll(moved, "claude-3", "claude-4")
	assert.Equal(t, "chat unchanged, claude updated, safe updated, split updated", results(claude))
	traffic := w.as("bob", "GET", "/api/3.0/gateway/route/split", "").must(200)
	assert.Equal(t, 60.0, traffic.at("destinations", 0, "traffic_percentage"))
}

func TestApplyAllOrNothing(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ name, file, field, says string }{
		{"not YAML", "endpoints: [", "", "body:1"},
		{"no endpoints", "{}", "endpoints", "required"},
		{"bad route", mlflowFile + "routes: [{name: r, task_type: llm/v1/chat, destinations: [{name: chat, traffic_percentage: 99}]}]\n",
			"routes[0].destinations", "must be 100 in sum, but they are 99"},
		{"bad target", mlflowFile + "  - {name: x, endpoint_type: llm/v1/chat, targets: [{name: a, model: {provider: practice, name: m}}, " +
			"{name: b, model: {provider: acme, name: m}}]}\n", "targets[1].modelProvider", `Endpoint "x"`},
		{"weights", mlflowFile + "  - {name: x, endpoint_type: llm/v1/chat, targets: [{name: a, weight: 0, model: {provider: practice, name: m}}, " +
			"{name: b, weight: 0, model: {provider: practice, name: m}}]}\n", "targets", `Endpoint "x"`},
		{"second is bad", mlflowFile + "  - {name: x, endpoint_type: llm/v1/chat, model: {provider: acme, name: m}}\n",
			"modelProvider", `Endpoint "x"`},
		{"unknown user", mlflowFile + "  - {name: x, endpoint_type: llm/v1/chat, permissions: {users: [nobody]}, " +
			"model: {provider: openai, name: m, config: {openai_api_key: k}}}\n", "permissions.users", `"nobody"`},
		{"unknown organization", mlflowFile + "  - {name: x, endpoint_type: llm/v1/chat, permissions: {organizations: [nobody]}, " +
			"model: {provider: openai, name: m, config: {openai_api_key: k}}}\n", "permissions.organizations", `"nobody"`},
		{"references are for clients", "endpoints: [{name: x, endpoint_type: llm/v1/chat, model: {provider: openai, name: m, " +
			"config: {openai_api_base: 'file:/etc/passwd'}}}]", "modelConfig.openai_api_base", `Endpoint "x"`},
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

// Every file that MLflow's own loader takes is applied (see package
// mlflowconfig, testdata/verdicts.py), and what it says of it is all there.
func TestApplyTakesWhatMLflowTakes(t *testing.T) {
	data, err := os.ReadFile("../mlflowconfig/testdata/verdicts.json")
	require.NoError(t, err)
	var files []struct {
		Name, File string
		Accepted   bool
	}
	require.NoError(t, json.Unmarshal(data, &files))
	// MLflow's server takes the region of its own machine.
	stricter := map[string]string{"aws_config of nothing": "modelConfig.aws_region"}
	w := newWorld(t)
	for _, f := range files {
		t.Run(f.Name, func(t *testing.T) {
			r := w.as("root", "POST", own+"/apply", f.File)
			if field := stricter[f.Name]; field != "" || !f.Accepted {
				assert.Equal(t, 400, r.status, r.body)
				assert.Contains(t, r.body, field)
				return
			}
			for _, x := range r.must(200).at("results").([]any) {
				name := x.(map[string]any)["endpointName"].(string)
				assert.NotEmpty(t, w.endpoint(name).Targets)
			}
			r = w.as("root", "POST", own+"/apply", f.File).must(200)
			for _, x := range r.at("results").([]any) {
				assert.Equal(t, "unchanged", x.(map[string]any)["change"], "a second time nothing changes")
			}
		})
	}
}
