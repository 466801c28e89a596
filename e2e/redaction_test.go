package e2e_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
)

// What people should not have written into a prompt, by the detector that finds
// it.
var plantedData = map[string]string{
	"email": "erika.mustermann@example.com", "phone": "+49 170 1234567", "card": "4111 1111 1111 1111", "iban": "DE89 3704 0044 0532 0130 00",
	"us_ssn": "536-90-4399", "api_key": "sk-proj-Zq8vT3mLx0Yc5RbN7dKwZq8vT3mLx0Yc5RbN7dKw",
}

// TestPlantedDataIsInNoRecord sends personal data and a key in every dialect,
// streamed and not, to providers that repeat it, with all that can be recorded
// being recorded, redacted: none of it is in any file, reply of the API,
// export or file that a sink writes; and the marks of the same value are the same everywhere.
func TestPlantedDataIsInNoRecord(t *testing.T) {
	out := filepath.Join(t.TempDir(), "sink.jsonl")
	g := rig.Start(t, rig.Options{Config: "audit:\n  bodies: redacted\n  provider_bodies: true\n  stream_events: true\n" +
		"  sinks: [{ name: file, type: file, path: " + out + " }]\n"})
	var values []string
	for _, v := range plantedData {
		values = append(values, v)
	}
	said, err := json.Marshal("I am " + strings.Join(values, ", "))
	require.NoError(t, err)
	escaped := strings.ReplaceAll(string(said), "@", `\u0040`)
	calls := 0
	call := func(path, body string) {
		t.Helper()
		r := g.Call("POST", path, g.UserToken, body)
		require.Equal(t, 200, r.Status, "%s: %s", path, r.Body)
		calls++
	}
	for _, text := range []string{string(said), escaped} {
		for _, stream := range []string{"false", "true"} {
			messages := `"messages":[{"role":"user","content":` + text + `}],"max_tokens":500,"stream":` + stream
			for _, e := range []string{"chat-openai", "chat-anthropic"} {
				call("/gateway/"+e+"/invocations", `{`+messages+`}`)
				call("/v1/chat/completions", `{"model":"`+e+`",`+messages+`}`)
				call("/anthropic/v1/messages", `{"model":"`+e+`",`+messages+`}`)
				call("/v1/responses", `{"model":"`+e+`","input":`+text+`,"stream":`+stream+`}`)
			}
			call("/native/chat-openai/v1/chat/completions", `{"model":"gpt-4o-mini",`+messages+`}`)
			call("/v1/completions", `{"model":"completions-openai","prompt":`+text+`,"max_tokens":500,"stream":`+stream+`}`)
		}
	}
	r := g.Call("POST", "/v1/chat/completions?user="+plantedData["email"], g.UserToken, `{"model":"`+plantedData["email"]+`","messages":[]}`)
	require.NotEqual(t, 200, r.Status)

	listed := string(g.Call("GET", "/api/sluice/v1/audit?limit=1000&bodies=true", g.AdminToken, "").Body)
	for where, text := range exported(t, g) {
		absent(t, plantedData, where, text)
	}
	g.Stop()
	records := readFile(t, out)
	lines := 0
	for line := range strings.Lines(records) {
		if strings.Contains(line, `"result":"answered"`) {
			lines++
			for name := range plantedData {
				require.GreaterOrEqual(t, strings.Count(line, "["+name+":"), 2, "%s is marked in request and reply of %s", name, line)
			}
		}
	}
	require.Equal(t, calls, lines)
	absent(t, plantedData, "the list of records", listed)
	absent(t, plantedData, "what the sink wrote", records)
	require.NoError(t, filepath.WalkDir(g.Data, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			absent(t, plantedData, path, readFile(t, path))
		}
		return err
	}))
	absent(t, plantedData, "the log", g.Output())
}

// TestPlantedDataIsInNoChange: what administrators write is not told by the trail
// that is not to keep it, nor is a token that somebody gives for a name.
func TestPlantedDataIsInNoChange(t *testing.T) {
	for _, mode := range []string{"redacted", "none"} {
		out := filepath.Join(t.TempDir(), "sink.jsonl")
		g := rig.Start(t, rig.Options{Config: "audit:\n  bodies: " + mode + "\n  sinks: [{ name: file, type: file, path: " + out + " }]\n"})
		words := "for " + plantedData["email"] + ", " + plantedData["card"] + ", " + plantedData["api_key"]
		do := func(method, path, body string) {
			t.Helper()
			r := g.Admin(method, path, body)
			require.Equal(t, 200, r.Status, "%s", r.Body)
		}
		do("PATCH", "/api/aigateway/v1/endpoints/chat-openai", `{"description":"`+words+`"}`)
		do("POST", "/api/sluice/v1/audit/holds", `{"name":"case","from":"2030-01-01","reason":"`+words+`"}`)
		do("POST", "/api/sluice/v1/users", `{"userName":"erika","email":"`+plantedData["email"]+`"}`)
		for _, path := range []string{"/endpoints/" + g.UserToken + "/invocations", "/v1/models/" + g.UserToken, "/nowhere/" + g.UserToken} {
			require.NotEqual(t, 200, g.Call("POST", path, g.UserToken, hello).Status)
		}
		listed := string(g.Call("GET", "/api/sluice/v1/audit?limit=1000", g.AdminToken, "").Body)
		require.Equal(t, 4, strings.Count(listed, "[email:"), "%s", listed) // of a hold twice: its change, and all holds
		require.Contains(t, listed, `"targetName":"erika"`)
		require.Contains(t, listed, "/endpoints/[credential]/invocations")
		g.Stop()
		secrets := map[string]string{"token": g.UserToken}
		for name, value := range plantedData {
			secrets[name] = value
		}
		absent(t, secrets, "the list of records", listed)
		absent(t, secrets, "what the sink wrote", readFile(t, out))
		absent(t, secrets, "the log", g.Output())
		require.NoError(t, filepath.WalkDir(filepath.Join(g.Data, "audit"), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				absent(t, secrets, path, readFile(t, path))
			}
			return err
		}))
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}
