package rig_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
	"sluice/extproc/provider"
	"sluice/internal/simulate"
)

// TestEveryEndpointAnswers asks each endpoint of the table in MLflow's dialect
// and, for chat, in OpenAI's with a stream: the stand-in must take what the
// gateway sends, credential included, and see no other stand-in's secret.
func TestEveryEndpointAnswers(t *testing.T) {
	g := rig.Start(t, rig.Options{AllProviders: true})
	for _, e := range g.All.Endpoints() {
		t.Run(e.Name, func(t *testing.T) {
			r := g.Call(http.MethodPost, "/gateway/"+e.Name+"/invocations", g.UserToken, question(e))
			if e.Type == "completions" && r.Status == http.StatusNotImplemented {
				require.Contains(t, string(r.Body), "The completions route is not implemented", "as MLflow says it")
				require.Empty(t, g.All.By[e.StandIn].Requests())
				return
			}
			require.Equal(t, http.StatusOK, r.Status, "%s", r.Body)
			if row, _ := provider.Lookup(e.Provider); e.Type == "chat" && slices.Contains(row.Features.Streams, provider.TypeChat) {
				r = g.Call(http.MethodPost, "/v1/chat/completions", g.UserToken, fmt.Sprintf(
					`{"model":%q,"stream":true,"messages":[{"role":"user","content":"say hello"}]}`, e.Name))
				require.Equal(t, http.StatusOK, r.Status, "%s", r.Body)
				require.Contains(t, string(r.Body), "data: [DONE]")
				require.NotContains(t, string(r.Body), `"error"`)
			}
			requests := g.All.By[e.StandIn].Requests()
			require.NotEmpty(t, requests)
			requireOwnSecrets(t, g.All.Canaries(), e.StandIn, requests)
			g.All.By[e.StandIn].Forget()
		})
	}
}

// question is a request that the endpoint's provider can answer.
func question(e rig.ProviderEndpoint) string {
	switch {
	case e.Provider == "palm" && e.Type == "chat": // it takes no limit
		return `{"messages":[{"role":"user","content":"say hello"}]}`
	case e.Provider == "togetherai" && e.Type == "embeddings": // MLflow leaves the model to the client
		return `{"input":["say hello"],"model":"BAAI/bge-base-en-v1.5"}`
	}
	return map[string]string{
		"chat":        `{"messages":[{"role":"user","content":"say hello"}],"max_tokens":200}`,
		"completions": `{"prompt":"say hello","max_tokens":200}`,
		"embeddings":  `{"input":["say hello","and bye"]}`,
	}[e.Type]
}

func requireOwnSecrets(t *testing.T, canaries map[string][]string, standIn string, requests []simulate.Received) {
	t.Helper()
	for _, r := range requests {
		seen := fmt.Sprint(r.Target, r.Header, string(r.Body))
		for owner, secrets := range canaries {
			for _, secret := range secrets {
				if strings.Contains(seen, secret) && !slices.Contains(canaries[standIn], secret) {
					require.Fail(t, "a secret has leaked", "%s saw the secret of %s", standIn, owner)
				}
			}
		}
	}
}
