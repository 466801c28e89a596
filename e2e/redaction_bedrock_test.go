package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
)

// TestBedrocksOwnStreams calls Bedrock's own API, whose streams are frames of
// AWS's, with personal data that the models repeat, also in base64. In full the
// record has the reply that the same call gets without a stream; redacted it has
// marks in its place; and with none it has no body.
func TestBedrocksOwnStreams(t *testing.T) {
	g := rig.Start(t, rig.Options{
		Config: "audit:\n  provider_bodies: true\n  stream_events: true\n", Hosts: []string{"bedrock-runtime.us-east-1.amazonaws.com:443"},
		Providers: rig.NewProviders(t, &rig.Gateway{}),
	})
	config := map[string]string{"aws_region": "us-east-1", "aws_access_key_id": rig.AWSKey.ID, "aws_secret_access_key": rig.AWSKey.Secret}
	const claude, titan = "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon.titan-text-express-v1"
	planted := map[string]string{}
	said := "I am"
	for name, v := range plantedData {
		planted[name] = v
		said += " " + v + ","
	}
	hidden := base64.StdEncoding.EncodeToString([]byte("Write to " + plantedData["email"] + " or call"))
	planted["base64"] = hidden
	text := toJSON(said + " and " + hidden + ".")
	for _, call := range []struct{ model, whole, stream, body string }{
		{claude, "converse", "converse-stream", `{"messages":[{"role":"user","content":[{"text":` + text + `}]}],"inferenceConfig":{"maxTokens":900}}`},
		{claude, "invoke", "invoke-with-response-stream",
			`{"anthropic_version":"bedrock-2023-05-31","max_tokens":900,"messages":[{"role":"user","content":` + text + `}]}`},
		{titan, "invoke", "invoke-with-response-stream", `{"inputText":` + text + `,"textGenerationConfig":{"maxTokenCount":900}}`},
	} {
		for _, keeps := range []string{"full", "redacted", "none"} {
			kind, _, _ := strings.Cut(strings.TrimPrefix(call.model, "us."), ".")
			name := kind + "-" + keeps + "-" + call.whole
			var e map[string]any
			require.NoError(t, json.Unmarshal([]byte(rig.Endpoint(name, "chat", "bedrock", call.model, config)), &e))
			e["auditBodies"] = keeps
			if call.model == titan {
				e["endpointType"] = "llm/v1/completions"
			}
			g.Admin("POST", "/api/aigateway/v1/endpoints", toJSON(e))
			path := "/native/" + name + "/model/" + url.PathEscape(call.model) + "/"
			whole := g.Call("POST", path+call.whole, g.UserToken, call.body, "Content-Type", "application/json")
			require.Equal(t, 200, whole.Status, string(whole.Body))
			r := g.Call("POST", path+call.stream, g.UserToken, call.body, "Content-Type", "application/json")
			require.Equal(t, 200, r.Status, string(r.Body))
			require.Equal(t, "application/vnd.amazon.eventstream", r.Header.Get("Content-Type"))
			rec := record(t, g, r.Header.Get("X-Request-Id"))
			shown := toJSON(rec)
			kept, _ := rec["responseBody"].(string)
			switch keeps {
			case "full":
				require.Equal(t, "message", outcome(t, rec)["bodyForm"], shown)
				require.Nil(t, outcome(t, rec)["partial"], shown)
				require.Equal(t, sameReply(t, string(whole.Body)), sameReply(t, kept), name)
				require.Contains(t, kept, plantedData["email"])
				require.Contains(t, kept, hidden)
			case "redacted":
				require.Equal(t, "message", outcome(t, rec)["bodyForm"], shown)
				absent(t, planted, name, shown)
				require.Equal(t, sameReply(t, record(t, g, whole.Header.Get("X-Request-Id"))["responseBody"].(string)), sameReply(t, kept), name)
				for kind := range plantedData {
					require.Contains(t, kept, "["+kind+":", name)
				}
				require.Len(t, rec["parts"], 2, "what was sent upstream, and what came: %s", shown)
			case "none":
				require.Empty(t, kept)
				require.Empty(t, rec["requestBody"])
				absent(t, planted, name, shown)
			}
		}
	}
}

// sameReply is a reply without what differs from call to call.
func sameReply(t *testing.T, body string) string {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &v), body)
	delete(v, "id")
	return toJSON(v)
}
