package openai_test

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
)

// TestFaults is the table of docs/errors.md: what a provider's failure becomes
// in each client dialect. Each line of testdata/faults.json is one.
func TestFaults(t *testing.T) {
	text, err := os.ReadFile("testdata/faults.json")
	require.NoError(t, err)
	var cases []struct {
		Name    string
		Status  int
		Headers map[string]string
		Body    string
		OpenAI  json.RawMessage // [status, code, message, retry-after, x-should-retry]
		MLflow  json.RawMessage // [status, code, detail, retry-after]
	}
	require.NoError(t, json.Unmarshal(text, &cases))
	require.NotEmpty(t, cases)
	for _, c := range cases {
		header := func(name string) string { return c.Headers[name] }
		t.Run(c.Name+" to OpenAI", func(t *testing.T) {
			call := openCall(t, openAIChat, dialect.Chat, `{"model":"e","messages":[1]}`)
			reply := call.Complete(c.Status, header, []byte(c.Body))
			e := gjson.GetBytes(reply.Body, "error")
			got := []any{reply.Status, e.Get("code").Str, e.Get("message").Str, lookup(reply, "retry-after"), lookup(reply, "x-should-retry")}
			assert.JSONEq(t, string(c.OpenAI), encode(t, got))
			assert.Equal(t, "ex-1", e.Get("exchange_id").Str)
			checkFault(t, reply)
		})
		t.Run(c.Name+" to MLflow", func(t *testing.T) {
			reply := openMLflow(t, dialect.Chat, false).Complete(c.Status, header, []byte(c.Body))
			detail := json.RawMessage(gjson.GetBytes(reply.Body, "detail").Raw)
			got := []any{reply.Status, reply.Error.Code, detail, lookup(reply, "retry-after")}
			assert.JSONEq(t, string(c.MLflow), encode(t, got))
			checkFault(t, reply)
		})
	}
}

// checkFault holds for every failure.
func checkFault(t *testing.T, reply provider.Reply) {
	require.NotNil(t, reply.Error)
	assert.False(t, reply.Unchanged)
	assert.Equal(t, "application/json", reply.ContentType)
	assert.True(t, json.Valid(reply.Body), "%s", reply.Body)
	assert.NotContains(t, string(reply.Body), testKey)
	assert.NotContains(t, reply.Error.Message, testKey)
	assert.NotContains(t, string(reply.Body), testKey[:10])
	assert.NotContains(t, string(reply.Body), testKey[len(testKey)-4:])
}

func lookup(r provider.Reply, name string) string {
	for _, h := range r.Headers {
		if h[0] == name {
			return h[1]
		}
	}
	return ""
}

func encode(t *testing.T, v any) string {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

// TestSecretsAreScrubbed: whatever form a provider echoes a credential in, and
// wherever in its error.
func TestSecretsAreScrubbed(t *testing.T) {
	const key = `sk-proj-Zq8vT3"mLx0/Yc5RbN7dKw`
	target := provider.Target{Provider: "openai", Model: "m", Config: map[string]string{"openai_api_key": key}}
	for _, echo := range []string{
		key, "Bearer " + key, strings.ReplaceAll(key, "/", "%2F"), "sk-pr***************7dKw", "sk-proj-********", "****7dKw",
		"sk-p...7dKw", "sk-p…7dKw", "sk-p••••7dKw", "sk-pXXXX7dKw", key[:12], key[:20] + "!", "x" + key[14:], `sk-proj-Zq8vT3\"mLx0/Yc5RbN7dKw`,
	} {
		for _, form := range []string{
			`{"error":{"message":%s,"type":"t","code":"c"}}`, `{"error":{"message":"m","code":%s,"param":%s}}`, `{"error":%s}`,
			`{"message":%s}`, `{"detail":[{"loc":["h",%s],"a":{%s:1}}]}`, `{"error":{"message":{"deep":%s}}}`,
		} {
			body := strings.ReplaceAll(form, "%s", string(dialect.AppendString(nil, "key: "+echo+", sorry")))
			for _, d := range []dialect.Dialect{dialect.MLflow, dialect.OpenAI} {
				for _, status := range []int{400, 401, 500} {
					reply := open(t, d, target).Complete(status, jsonHead, []byte(body))
					text := gjson.ParseBytes(reply.Body).String() + reply.Error.Message + string(reply.Error.Detail)
					for _, part := range []string{"7dKw", "Zq8v", "sk-p", "mLx0"} {
						assert.NotContains(t, text, part, "%s %d %s", d, status, body)
					}
				}
			}
		}
	}
	// What is no echo stays.
	reply := open(t, dialect.OpenAI, target).Complete(400, jsonHead, []byte(`{"error":{"message":"Wait... see **docs** and sk-other***key"}}`))
	assert.Equal(t, "Wait... see **docs** and sk-other***key", reply.Error.Message)
}

func open(t testing.TB, d dialect.Dialect, target provider.Target) provider.Call {
	req, e := dialect.Parse(dialect.Route{Dialect: d, Operation: dialect.Embeddings}, dialect.Embeddings, "application/json",
		[]byte(map[dialect.Dialect]string{dialect.MLflow: `{"input":"x"}`, dialect.OpenAI: `{"input":"x","model":"e"}`}[d]))
	require.Nil(t, e)
	call, e := provider.Open(target, req, testEnv)
	require.Nil(t, e)
	return call
}

// TestHugeFaults: a provider's text is bounded in what is passed on.
func TestHugeFaults(t *testing.T) {
	huge := strings.Repeat("é", 1<<20)
	for i, c := range [][2]string{{"text/plain", huge}, {"application/json", `{"error":{"message":"` + huge + `","code":"` + huge + `"}}`},
		{"application/json", `{"a":"` + huge + `"}`}, {"text/" + huge, ""}, {"application/json", "{"}} {
		for _, d := range []dialect.Dialect{dialect.MLflow, dialect.OpenAI} {
			reply := open(t, d, testTarget).Complete(400+i, func(n string) string {
				return map[string]string{"content-type": c[0]}[n]
			}, []byte(c[1]))
			assert.Less(t, len(reply.Body), 20<<10, strconv.Itoa(i))
			assert.True(t, json.Valid(reply.Body))
		}
	}
}
