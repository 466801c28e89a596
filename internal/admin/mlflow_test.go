package admin_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/internal/catalog"
)

// fill puts many endpoints into the catalog; alice may call one in share.
func (w *world) fill(n, share int) {
	w.t.Helper()
	list := make([]catalog.Endpoint, n)
	for i := range list {
		list[i] = catalog.Endpoint{
			Name: fmt.Sprintf("e%05d", i), Type: catalog.TypeChat,
			Targets: []catalog.Target{{Provider: "openai", Model: "gpt-4", Config: map[string]string{},
				Secrets: catalog.Secrets{"openai_api_key": canary}}},
		}
		if i%share == 0 {
			list[i].Permissions.Users = []string{w.users["alice"]}
		}
	}
	_, err := w.catalog.Apply(context.Background(), list)
	require.NoError(w.t, err)
}

func TestMLflowControlPlane(t *testing.T) {
	w := newWorld(t)
	w.as("root", "POST", endpoints, newEndpoint("chat", map[string]any{
		"endpointPermissions": map[string]any{"isEveryoneAllowed": true},
		"limit":               map[string]any{"calls": 5, "renewal_period": "minute"},
	})).must(200)
	w.as("root", "POST", endpoints, newEndpoint("embed", map[string]any{
		"endpointPermissions": map[string]any{"userIds": []string{w.users["alice"]}}, "endpointType": "llm/v1/embeddings",
	})).must(200)
	chat := `{"name":"chat","endpoint_type":"llm/v1/chat","model":{"name":"gpt-4","provider":"openai"},` +
		`"endpoint_url":"/gateway/chat/invocations","limit":{"calls":5,"key":null,"renewal_period":"minute"}}`
	embed := `{"name":"embed","endpoint_type":"llm/v1/embeddings","model":{"name":"gpt-4","provider":"openai"},` +
		`"endpoint_url":"/gateway/embed/invocations","limit":null}`
	route := func(s string) string {
		return strings.NewReplacer("endpoint_type", "route_type", "endpoint_url", "route_url").Replace(s)
	}
	absent := func(what string) string {
		return `The ` + what + ` 'x' is not present or active on the server. Please verify the ` + what + ` name.`
	}
	for _, c := range []struct {
		user, path string
		status     int
		body       string // the whole body of a 200, "detail" of the rest
	}{
		{"", "/health", 200, `{"status":"OK"}`},
		{"alice", "/api/2.0/endpoints/", 200, `{"endpoints":[` + chat + `,` + embed + `],"next_page_token":null}`},
		{"bob", "/api/2.0/endpoints/", 200, `{"endpoints":[` + chat + `],"next_page_token":null}`},
		{"root", "/api/2.0/endpoints/", 200, `{"endpoints":[` + chat + `],"next_page_token":null}`},
		{"bob", "/api/2.0/endpoints/chat", 200, chat},
		{"bob", "/api/3.0/gateway/endpoint/chat", 200, chat},
		{"bob", "/api/2.0/gateway/routes/", 200, `{"routes":[` + route(chat) + `],"next_page_token":null}`},
		{"bob", "/api/2.0/gateway/routes/chat", 200, route(chat)},
		{"bob", "/api/2.0/endpoints/embed", 404, strings.ReplaceAll(absent("endpoint"), "'x'", "'embed'")},
		{"bob", "/api/2.0/endpoints/x", 404, absent("endpoint")},
		{"bob", "/api/3.0/gateway/endpoint/x", 404, absent("endpoint")},
		{"bob", "/api/2.0/gateway/routes/x", 404, absent("route")},
		{"bob", "/api/3.0/gateway/route/x", 404, absent("route")},
		{"bob", "/api/2.0/endpoints/limits/chat", 501, "The get_limits API is not available yet."},
		{"bob", "/api/2.0/gateway/limits/chat", 501, "The get_limits API is not available yet."},
		{"", "/api/2.0/endpoints/", 401, "No credential was presented"},
	} {
		for _, prefix := range []string{"", "/mlflow-deployments"} {
			t.Run(c.user+" "+prefix+c.path, func(t *testing.T) {
				r := w.as(c.user, "GET", prefix+c.path, "").must(c.status)
				if c.status == 200 {
					assert.Equal(t, c.body, strings.TrimSpace(r.body))
					return
				}
				assert.Contains(t, r.at("detail"), c.body)
			})
		}
	}
}

func TestTrafficRoutes(t *testing.T) {
	w := newWorld(t)
	w.create("chat", map[string]any{"isEveryoneAllowed": true})
	path := "/api/3.0/gateway/route/chat"
	assert.Contains(t, w.as("alice", "GET", path, "").must(404).at("detail"), "The route 'chat' is not present")
	put := func(targets string) {
		w.as("root", "PUT", targetsOf("chat"), `{"targets":[`+targets+`]}`).must(200)
	}
	one := func(name string, more string) string {
		return `{"name":"` + name + `","modelProvider":"practice","modelName":"m-` + name + `"` + more + `}`
	}
	for _, c := range []struct {
		targets []string
		want    string
	}{
		{[]string{one("a", `,"weight":90`), one("b", `,"weight":10`)}, "a 90 b 10"},
		{[]string{one("a", ""), one("b", ""), one("c", "")}, "a 33 b 34 c 33"},
		{[]string{one("a", `,"weight":3`), one("b", `,"weight":0`), one("c", `,"order":1`), one("d", `,"disabled":true`)}, "a 100 b 0 d 0 c 0"},
		{[]string{one("a", `,"weight":0`), one("b", `,"order":3`)}, "a 0 b 100"},
		{[]string{one("a", `,"disabled":true`), one("b", `,"disabled":true`)}, "a 0 b 0"},
	} {
		put(strings.Join(c.targets, ","))
		r := w.as("alice", "GET", path, "").must(200)
		assert.Equal(t, []string{"destinations", "name", "routing_strategy", "task_type"}, keys(r.json()))
		assert.Equal(t, []any{"chat", "llm/v1/chat", "TRAFFIC_SPLIT"}, []any{r.at("name"), r.at("task_type"), r.at("routing_strategy")})
		var got []string
		for _, d := range r.at("destinations").([]any) {
			d := d.(map[string]any)
			got = append(got, fmt.Sprint(d["name"], " ", d["traffic_percentage"]))
		}
		assert.Equal(t, c.want, strings.Join(got, " "))
	}
	listed := w.as("alice", "GET", "/api/2.0/endpoints/chat", "").must(200)
	assert.Equal(t, "m-a", listed.at("model", "name"), "the first target's model")
}

func TestUnifiedModels(t *testing.T) {
	w := newWorld(t)
	w.create("b", map[string]any{"isEveryoneAllowed": true})
	w.create("a", map[string]any{"isEveryoneAllowed": true})
	w.create("hidden", nil)
	a, b := w.endpoint("a"), w.endpoint("b")
	assert.Equal(t, fmt.Sprintf(`{"object":"list","data":[{"id":"a","object":"model","created":%d,"owned_by":"mlflow"},`+
		`{"id":"b","object":"model","created":%d,"owned_by":"mlflow"}]}`, a.Created.Unix(), b.Created.Unix()),
		strings.TrimSpace(w.as("alice", "GET", "/gateway/mlflow/v1/models", "").must(200).body))
}

// Calls of models do not come here; the other methods of their paths do.
func TestPathsOfCalls(t *testing.T) {
	w := newWorld(t)
	for _, path := range append(dialect.Calls(), "/endpoints/x/invocations", "/gateway/x/invocations",
		"/gateway/x/mlflow/invocations", "/mlflow-deployments/gateway/x/invocations", "/v1beta/models/x:generateContent") {
		r := w.as("", "GET", path, "").must(405)
		assert.Equal(t, "POST", r.header.Get("Allow"), path)
	}
	w.as("", "GET", "/v1/nothing", "").must(404)
}

func TestMLflowSlash(t *testing.T) {
	w := newWorld(t)
	r := w.as("alice", "GET", "/mlflow-deployments/api/2.0/endpoints?page_token=abc", "").must(307)
	assert.Equal(t, "endpoints/?page_token=abc", r.header.Get("Location"))
	r = w.as("alice", "GET", "/api/2.0/gateway/routes", "").must(307)
	assert.Equal(t, "routes/", r.header.Get("Location"))
}

func TestMLflowPages(t *testing.T) {
	w := newWorld(t)
	w.fill(3002, 1)
	first := w.as("alice", "GET", "/api/2.0/endpoints/", "").must(200)
	assert.Len(t, first.at("endpoints"), 3000)
	token := base64.StdEncoding.EncodeToString([]byte(`{"index": 3000}`))
	assert.Equal(t, token, first.at("next_page_token"))
	last := w.as("alice", "GET", "/api/2.0/endpoints/?page_token="+token, "").must(200)
	assert.Len(t, last.at("endpoints"), 2)
	assert.Nil(t, last.at("next_page_token"))
	assert.Contains(t, last.body, `"next_page_token":null`)

	beyond := base64.StdEncoding.EncodeToString([]byte(`{"index":99999}`))
	assert.Empty(t, w.as("alice", "GET", "/api/2.0/endpoints/?page_token="+beyond, "").must(200).at("endpoints"))
	for _, bad := range []string{"%21", "e30=", base64.StdEncoding.EncodeToString([]byte(`{"index": -1}`)),
		base64.StdEncoding.EncodeToString([]byte(`{"index": "a"}`))} {
		assert.Contains(t, w.as("alice", "GET", "/api/2.0/endpoints/?page_token="+bad, "").must(400).at("detail"), "page token")
	}
}

func TestMLflowSetLimits(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name, body, contentType string
		status                  int
		detail                  string
	}{
		{"right", `{"route":"chat","limits":[{"calls":1}]}`, "application/json", 501, `"The set_limits API is not available yet."`},
		{"nothing", ``, "application/json", 422, `[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]`},
		{"no fields", `{}`, "application/json", 422, `[{"type":"missing","loc":["body","route"],"msg":"Field required","input":{}},` +
			`{"type":"missing","loc":["body","limits"],"msg":"Field required","input":{}}]`},
		{"wrong types", `{"route":1,"limits":"x"}`, "application/json", 422,
			`[{"type":"string_type","loc":["body","route"],"msg":"Input should be a valid string","input":1},` +
				`{"type":"list_type","loc":["body","limits"],"msg":"Input should be a valid list","input":"x"}]`},
		{"no objects", `{"route":"x","limits":[{},1]}`, "application/json", 422,
			`[{"type":"dict_type","loc":["body","limits",1],"msg":"Input should be a valid dictionary","input":1}]`},
		{"no key", `{`, "application/json", 422, `[{"type":"json_invalid","loc":["body",1],"msg":"JSON decode error",` +
			`"input":{},"ctx":{"error":"Expecting property name enclosed in double quotes"}}]`},
		{"no JSON", `{"route":`, "application/json", 422,
			`[{"type":"json_invalid","loc":["body",9],"msg":"JSON decode error","input":{},"ctx":{"error":"Expecting value"}}]`},
		{"other type", `{"route":1}`, "text/plain", 422, `[{"type":"model_attributes_type","loc":["body"],` +
			`"msg":"Input should be a valid dictionary or object to extract fields from","input":"{\"route\":1}"}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{"/api/2.0/endpoints/limits/", "/mlflow-deployments/api/2.0/gateway/limits/"} {
				r := w.as("alice", "POST", path, c.body, "Content-Type", c.contentType).must(c.status)
				assert.JSONEq(t, c.detail, text(r.at("detail")))
			}
		})
	}
}

func TestOpenAIModels(t *testing.T) {
	w := newWorld(t)
	w.create("a", map[string]any{"isEveryoneAllowed": true})
	w.create("b", nil)
	e, _ := w.catalog.Snapshot().Get("a")
	one := fmt.Sprintf(`{"id":"a","object":"model","created":%d,"owned_by":"openai"}`, e.Created.Unix())
	for _, prefix := range []string{"", "/mlflow-deployments"} {
		assert.Equal(t, `{"object":"list","data":[`+one+`]}`, strings.TrimSpace(w.as("alice", "GET", prefix+"/v1/models", "").must(200).body))
		assert.Equal(t, one, strings.TrimSpace(w.as("alice", "GET", prefix+"/v1/models/a", "").must(200).body))
		hidden := w.as("alice", "GET", prefix+"/v1/models/b", "", "X-Request-Id", "r").must(404)
		assert.Equal(t, strings.ReplaceAll(hidden.body, "'b'", "'c'"),
			w.as("alice", "GET", prefix+"/v1/models/c", "", "X-Request-Id", "r").must(404).body, "hidden and absent look the same")
		assert.Equal(t, []string{"code", "exchange_id", "message", "param", "type"}, keys(hidden.at("error").(map[string]any)))
	}
}

// TestAnthropicModels: Claude Code and Anthropic's SDKs look for models where
// OpenAI's clients do.
func TestAnthropicModels(t *testing.T) {
	w := newWorld(t)
	list := func() string {
		return strings.TrimSpace(w.as("alice", "GET", "/v1/models?limit=1000", "", "Anthropic-Version", "2023-06-01").must(200).body)
	}
	assert.Equal(t, `{"data":[],"has_more":false,"first_id":null,"last_id":null}`, list())
	w.create("claude-a", map[string]any{"isEveryoneAllowed": true})
	w.create("hidden", nil)
	w.create("claude-b", map[string]any{"isEveryoneAllowed": true})
	shape := func(name string) string {
		e, _ := w.catalog.Snapshot().Get(name)
		return fmt.Sprintf(`{"type":"model","id":%q,"display_name":%q,"created_at":%q}`, name, name, e.Created.UTC().Format(time.RFC3339))
	}
	assert.Equal(t, `{"data":[`+shape("claude-a")+`,`+shape("claude-b")+`],"has_more":false,"first_id":"claude-a","last_id":"claude-b"}`, list())
	assert.Equal(t, shape("claude-a"),
		strings.TrimSpace(w.as("alice", "GET", "/v1/models/claude-a", "", "Anthropic-Version", "2023-06-01").must(200).body))
	w.as("alice", "GET", "/v1/models/hidden", "", "Anthropic-Version", "2023-06-01").must(404)
}

// An administrator's list asks about what it shows, and a search about what it
// found. BenchmarkList says how long ten thousand endpoints take.
func TestListsAskThePolicyLittle(t *testing.T) {
	w := newWorld(t)
	w.fill(1000, 2)
	for _, c := range []struct {
		user, path string
		asked      int64
		total      float64
	}{
		// Each one shown is asked about, to tell whether it may be called.
		{"root", endpoints, 10, 1000},
		{"root", endpoints + "?sortByField=creationDate&searchFilter=e0", 10, 1000},
		{"alice", endpoints + "?searchFilter=e0004", 10 + 5, 5},
		{"alice", endpoints, 1000 + 10, 500},
	} {
		w.asked.Store(0)
		r := w.as(c.user, "GET", c.path, "").must(200)
		assert.Equal(t, c.asked, w.asked.Load(), c.path)
		assert.Equal(t, c.total, r.at("metadata", "totalCount"), c.path)
	}
}

func BenchmarkList(b *testing.B) {
	w := newWorld(b)
	w.fill(10_000, 2)
	for _, c := range []struct{ user, path string }{
		{"root", endpoints}, {"alice", endpoints}, {"alice", endpoints + "?searchFilter=e0004"}, {"alice", "/api/2.0/endpoints/"},
	} {
		b.Run(c.user+c.path, func(b *testing.B) {
			for b.Loop() {
				w.as(c.user, "GET", c.path, "")
				w.replies.Reset()
			}
		})
	}
}
