package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
)

// planted are personal data and keys that a person types and a model answers.
var planted = []string{
	"jane.doe@private.example", "4111 1111 1111 1111", "4242424242424242", "+49 170 1234567", "DE89370400440532013000",
	"sk-proj-Abcd1234Efgh5678Ijkl9012Mnop3456Qrst7890", "AKIAIOSFODNN7EXAMPLE",
}

// indiscreet is a provider that repeats all it is told: in answers, in streams
// that cut every value in the middle, and in its errors.
func indiscreet(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var asked struct {
		Stream   bool
		Messages []struct{ Content string }
	}
	_ = json.Unmarshal(body, &asked)
	text := r.URL.Path
	if n := len(asked.Messages); n > 0 {
		text = asked.Messages[n-1].Content
	}
	quoted, _ := json.Marshal(text)
	switch {
	case strings.Contains(text, "fail"):
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":{"message":%q,"type":"invalid_request_error"}}`, "I can't read: "+text+" with "+r.Header.Get("Authorization"))
	case asked.Stream && strings.HasSuffix(r.URL.Path, "/odd"):
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "event: odd\ndata: {\"odd\":%s}\n\n", quoted)
	case asked.Stream:
		w.Header().Set("Content-Type", "text/event-stream")
		for i := 0; i < len(text); i += 3 {
			piece, _ := json.Marshal(text[i:min(i+3, len(text))])
			fmt.Fprintf(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":%s}}]}`+"\n\n", piece)
			w.(http.Flusher).Flush()
		}
		fmt.Fprint(w, "data: [DONE]\n\n")
	default:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",`+
			`"message":{"role":"assistant","content":%s}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`, quoted)
	}
}

const indiscreetKey = "sk-canary-indiscreet-9z8y7x"

// sayAll asks every way in which a value can be said, and returns the ids of the
// exchanges that were answered with 200.
func sayAll(t *testing.T, g *rig.Gateway, endpoint string) (answered []string) {
	t.Helper()
	for _, value := range planted {
		for _, text := range []string{"My data: " + value + " and no more.", "fail with " + value + " please"} {
			quoted, _ := json.Marshal(text)
			messages := `"messages":[{"role":"user","content":` + string(quoted) + `}]`
			for path, body := range map[string]string{
				"/v1/chat/completions":                               `{"model":"` + endpoint + `",` + messages + `}`,
				"/v1/chat/completions?stream":                        `{"model":"` + endpoint + `","stream":true,` + messages + `}`,
				"/v1/chat/completions?a":                             `{"model":"` + endpoint + `","metadata":{"who":` + string(quoted) + `},` + messages + `}`,
				"/endpoints/" + endpoint + "/invocations":            `{` + messages + `}`,
				"/endpoints/" + endpoint + "/invocations?q=" + value: `{` + messages + `,"temperature":` + string(quoted) + `}`,
				"/native/" + endpoint + "/v1/chat/completions":       `{"model":"m",` + messages + `}`,
				"/native/" + endpoint + "/v1/odd":                    `{"model":"m","stream":true,` + messages + `}`,
				"/v1/messages":                                       `{"model":"` + endpoint + `","max_tokens":9,"stream":true,` + messages + `}`,
			} {
				r := g.Call("POST", strings.ReplaceAll(path, " ", "%20"), g.UserToken, body)
				if r.Status == http.StatusOK {
					answered = append(answered, r.Header.Get("X-Request-Id"))
				}
			}
		}
		// Where no endpoint is known, in the path, and without a token.
		quoted, _ := json.Marshal(value)
		g.Call("POST", "/v1/chat/completions", g.UserToken, `{"model":`+string(quoted)+`,"messages":[]}`)
		escaped := strings.NewReplacer(" ", "%20", "+", "%2B").Replace(value)
		g.Call("POST", "/native/"+endpoint+"/v1/files/"+escaped, g.UserToken, `{}`)
		g.Call("POST", "/native/"+endpoint+"/v1/files/"+escaped+"?key="+g.UserToken, "", `{}`)
		g.Call("GET", "/api/sluice/v1/users/"+escaped, g.UserToken, "")
	}
	return answered
}

func startIndiscreet(t *testing.T, audit string) *rig.Gateway {
	t.Helper()
	g := rig.Start(t, rig.Options{
		BareEndpoints: true, Hosts: []string{"indiscreet.example:443"}, Providers: http.HandlerFunc(indiscreet),
		Config: "log_level: debug\naudit: " + audit + "\n",
	})
	config := map[string]string{"openai_api_key": indiscreetKey, "openai_api_base": "https://indiscreet.example/v1"}
	g.Admin("POST", endpoints, rig.Endpoint("tell", "chat", "openai", "m", config))
	return g
}

// keptAnywhere is all that a gateway keeps and gives out, by where it is: exports,
// replies of REST, the output, and after the stop each file and what the program reads
// out of them.
func keptAnywhere(t *testing.T, g *rig.Gateway) map[string]string {
	t.Helper()
	kept := exported(t, g)
	for _, path := range []string{"/api/sluice/v1/audit?limit=1000&bodies=true", "/api/aigateway/v1/audit", "/api/audittrail/v1/auditevents",
		"/v4/aigateway/audit/download", "/v4/aigateway/audit/download?format=json"} {
		kept[path] = string(g.Admin("GET", path, "").Body)
	}
	g.Stop()
	// The first start prints the administrator's token, once.
	kept["output"] = strings.Replace(g.Output(), g.AdminToken, "", 1)
	require.NoError(t, filepath.WalkDir(g.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(d.Name(), "-token") {
			return err
		}
		b, err := os.ReadFile(path)
		kept[path] = string(b)
		return err
	}))
	return kept
}

func forbid(t *testing.T, kept map[string]string, values ...string) {
	t.Helper()
	for where, text := range kept {
		for _, value := range values {
			if at := strings.Index(text, value); at >= 0 {
				t.Errorf("%q in %s, after: %q", value, where, text[max(0, at-200):at])
			}
		}
	}
}

// TestRedactedRecordsHoldNoPersonalData: not what was asked, answered or refused,
// nor what the provider was sent. Bodies are compressed in files from 192 bytes
// on, so what REST gives out of them is looked at as well.
func TestRedactedRecordsHoldNoPersonalData(t *testing.T) {
	g := startIndiscreet(t, "{ bodies: redacted, provider_bodies: true, stream_events: true }")
	answered := sayAll(t, g, "tell")
	require.NotEmpty(t, answered)
	var bodies strings.Builder
	marks := 0
	for _, id := range answered {
		r := g.Admin("GET", "/api/sluice/v1/audit/"+id, "")
		bodies.Write(r.Body)
		x := r.JSON(t)
		require.Equal(t, "redacted", x["exchange"].(map[string]any)["bodies"])
		tls, _ := x["exchange"].(map[string]any)["tls"].(map[string]any)
		require.Equal(t, "TLSv1.3", tls["version"])
		require.NotEmpty(t, x["parts"], "with what the provider was sent")
		marks += strings.Count(string(r.Body), "[email:")
	}
	require.Positive(t, marks, "what is found is marked")
	kept := keptAnywhere(t, g)
	kept["records with bodies"] = bodies.String()
	forbid(t, kept, append([]string{indiscreetKey, g.UserToken, g.AdminToken}, planted...)...)
	verify(t, g)
}

// TestNoBodiesKeepsNoWords of client or provider, also where they are quoted.
func TestNoBodiesKeepsNoWords(t *testing.T) {
	g := startIndiscreet(t, "{ bodies: none, provider_bodies: true, stream_events: true }")
	const words = "a very particular phrase"
	body := `{"model":"tell","messages":[{"role":"user","content":"` + words + `, fail"}]}`
	require.Equal(t, 400, g.Call("POST", "/v1/chat/completions", g.UserToken, body).Status)
	g.Call("POST", "/v1/chat/completions", g.UserToken, strings.Replace(body, ", fail", "", 1))
	g.Call("POST", "/v1/chat/completions", g.UserToken, strings.Replace(body, "tell", words, 1))
	g.Call("POST", "/endpoints/tell/invocations", g.UserToken, `{"messages":[{"role":"`+words+`","content":5}],"`+words+`":"`+words+`"}`)
	g.Call("POST", "/native/tell/v1/files/averyparticularphrase", g.UserToken, `{"x":"`+words+`"}`)
	sayAll(t, g, "tell")
	kept := keptAnywhere(t, g)
	forbid(t, kept, append([]string{indiscreetKey, g.UserToken, g.AdminToken, words, "averyparticularphrase"}, planted...)...)
}

// TestFullRecordsHoldNoCredentials, though all else is there.
func TestFullRecordsHoldNoCredentials(t *testing.T) {
	g := startIndiscreet(t, "{ bodies: full, provider_bodies: true, stream_events: true }")
	answered := sayAll(t, g, "tell")
	body := `{"model":"tell","messages":[{"role":"user","content":"my token is ` + g.UserToken + ` and the key ` + indiscreetKey + `"}]}`
	for _, b := range []string{body, strings.Replace(body, `"model"`, `"stream":true,"model"`, 1), strings.Replace(body, "my", "fail, my", 1)} {
		r := g.Call("POST", "/v1/chat/completions", g.UserToken, b)
		answered = append(answered, r.Header.Get("X-Request-Id"))
	}
	var bodies strings.Builder
	for _, id := range answered {
		bodies.Write(g.Admin("GET", "/api/sluice/v1/audit/"+id, "").Body)
	}
	for _, value := range planted {
		require.Contains(t, bodies.String(), value)
	}
	require.Contains(t, bodies.String(), `"kind":"stream_events"`)
	kept := keptAnywhere(t, g)
	kept["records with bodies"] = bodies.String()
	forbid(t, kept, indiscreetKey, g.UserToken, g.AdminToken)
}
