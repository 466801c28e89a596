package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
	"sluice/internal/simulate"
)

func streamRequest(t *testing.T, g *rig.Gateway, model string) *http.Response {
	t.Helper()
	req, err := http.NewRequest("POST", g.URL+"/v1/chat/completions",
		strings.NewReader(`{"model":"`+model+`","stream":true,"max_tokens":512,`+hello[1:]))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+g.UserToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := g.HTTP.Do(req)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode)
	return resp
}

// TestTheFirstChunkDoesNotWaitForTheSecond: the provider holds back its second
// chunk until the client has read the first.
func TestTheFirstChunkDoesNotWaitForTheSecond(t *testing.T) {
	g := rig.Start(t, rig.Options{Limits: "{ idle_timeout: 60s }"})
	for model, provider := range map[string]*simulate.Provider{"chat-openai": g.OpenAI, "chat-anthropic": g.Anthropic} {
		t.Run(model, func(t *testing.T) {
			provider.Next(simulate.Act{Hold: true})
			resp := streamRequest(t, g, model)
			lines := bufio.NewReader(resp.Body)
			first := readContent(t, lines)
			require.NotEmpty(t, first)
			provider.Release()
			rest, err := io.ReadAll(lines)
			require.NoError(t, err)
			require.Contains(t, string(rest), "[DONE]")
			require.NoError(t, resp.Body.Close())
		})
	}
}

// readContent reads up to the first chunk that has text.
func readContent(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		require.NoError(t, err)
		if _, after, ok := strings.Cut(line, `"content":"`); ok && !strings.HasPrefix(after, `"`) {
			return after
		}
	}
}

// TestAClientThatLeavesCancelsTheProvider and is recorded with what it saw.
func TestAClientThatLeavesCancelsTheProvider(t *testing.T) {
	g := rig.Start(t, rig.Options{Limits: "{ idle_timeout: 60s }"})
	g.OpenAI.Next(simulate.Act{Words: 100000, ChunkDelay: 5 * time.Millisecond})
	resp := streamRequest(t, g, "chat-openai")
	readContent(t, bufio.NewReader(resp.Body))
	require.NoError(t, resp.Body.Close())
	id := resp.Header.Get("X-Request-Id")
	var o map[string]any
	eventually(t, "the record says that the client left", func() bool {
		o, _ = record(t, g, id)["outcome"].(map[string]any)
		return o != nil
	})
	require.Equal(t, "client_gone", o["result"])
	require.NotEmpty(t, record(t, g, id)["responseBody"])
	metrics := func() string {
		r, err := http.Get(g.Metrics + "/metrics")
		require.NoError(t, err)
		defer func() { _ = r.Body.Close() }()
		b, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return string(b)
	}
	eventually(t, "no ext_proc stream is left", func() bool { return strings.Contains(metrics(), "sluice_extproc_streams 0") })
}

// TestADrainLetsRunningStreamsFinish: SIGTERM cuts no accepted request off.
func TestADrainLetsRunningStreamsFinish(t *testing.T) {
	g := rig.Start(t, rig.Options{Limits: "{ idle_timeout: 60s, drain_timeout: 30s }"})
	g.OpenAI.Next(simulate.Act{Words: 40, ChunkDelay: 50 * time.Millisecond})
	resp := streamRequest(t, g, "chat-openai")
	lines := bufio.NewReader(resp.Body)
	readContent(t, lines)
	g.Signal(15)
	rest, err := io.ReadAll(lines)
	require.NoError(t, err)
	require.Contains(t, string(rest), "[DONE]")
	<-g.Exited()
	verify(t, g)
}

// TestBodiesOfEverySizePass in both directions, and one over the limit is
// refused in the caller's dialect.
func TestBodiesOfEverySizePass(t *testing.T) {
	g := rig.Start(t, rig.Options{Limits: "{ idle_timeout: 600s }"})
	for _, size := range []int{1 << 10, 100 << 10, 3 << 20, 30 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			text := strings.Repeat("x", size)
			for _, backend := range []string{"openai", "anthropic"} {
				r := g.Call("POST", "/v1/chat/completions", g.UserToken,
					`{"model":"chat-`+backend+`","max_tokens":64,"messages":[{"role":"user","content":"`+text+`"}]}`)
				require.Equal(t, 200, r.Status, "%.300s", r.Body)
				g.OpenAI.Next(simulate.Act{Bytes: size})
				g.Anthropic.Next(simulate.Act{Bytes: size})
				r = g.Call("POST", "/endpoints/chat-"+backend+"/invocations", g.UserToken, `{"max_tokens":99999,`+hello[1:])
				require.Equal(t, 200, r.Status, "%.300s", r.Body)
				require.Greater(t, len(r.Body), size)
				g.OpenAI.Forget()
				g.Anthropic.Forget()
			}
		})
	}
	big := strings.Repeat("x", 33<<20)
	r := g.Call("POST", "/v1/chat/completions", g.UserToken, `{"model":"chat-openai","messages":[{"role":"user","content":"`+big+`"}]}`)
	require.Equal(t, 413, r.Status)
	require.Equal(t, "body_too_large", r.JSON(t)["error"].(map[string]any)["code"])
	r = g.Call("POST", "/endpoints/chat-openai/invocations", g.UserToken, `{"messages":[{"role":"user","content":"`+big+`"}]}`)
	require.Equal(t, 413, r.Status)
	require.Contains(t, r.JSON(t)["detail"], "larger")
	r = g.Call("POST", "/api/aigateway/v1/endpoints", g.AdminToken, big[:5<<20])
	require.Equal(t, 413, r.Status, "REST takes 4 MiB")
	require.Len(t, r.JSON(t)["requestId"], 36, "%s", r.Body)
}
