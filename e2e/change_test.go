package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
	"sluice/internal/simulate"
)

const endpoints = "/api/aigateway/v1/endpoints"

// TestAChangeHoldsForTheNextRequest: permission, key, model, name, type and
// existence, each checked by the very next request after the reply.
func TestAChangeHoldsForTheNextRequest(t *testing.T) {
	g := rig.Start(t, rig.Options{})
	call := func() rig.Reply { return g.Call("POST", "/endpoints/chat-openai/invocations", g.UserToken, hello) }
	var took []time.Duration
	change := func(method, path, body string) {
		start := time.Now()
		g.Admin(method, endpoints+path, body)
		took = append(took, time.Since(start))
	}
	for i := range times(15, 100) {
		change("PATCH", "/chat-openai/permissions", `{"isEveryoneAllowed":false}`)
		r := call()
		require.Equal(t, 403, r.Status)
		require.Contains(t, string(r.Body), "not_permitted")
		change("PATCH", "/chat-openai/permissions", `{"isEveryoneAllowed":true}`)
		require.Equal(t, 200, call().Status)

		model := fmt.Sprintf("gpt-4o-%d", i)
		change("PATCH", "/chat-openai", `{"modelName":"`+model+`"}`)
		require.Contains(t, string(call().Body), model)

		change("PATCH", "/chat-openai", `{"modelConfig":{"openai_api_key":"sk-wrong"}}`)
		require.Equal(t, 401, call().Status)
		change("PATCH", "/chat-openai", `{"modelConfig":{"openai_api_key":"`+rig.OpenAIKey+`"}}`)
		require.Equal(t, 200, call().Status)

		name := fmt.Sprintf("fresh-%d", i)
		change("POST", "", rig.Endpoint(name, "chat", "openai", "gpt-4o-mini", map[string]string{"openai_api_key": rig.OpenAIKey}))
		require.Equal(t, 200, g.Call("POST", "/endpoints/"+name+"/invocations", g.UserToken, hello).Status)
		change("DELETE", "/"+name, "")
		require.Equal(t, 404, g.Call("POST", "/endpoints/"+name+"/invocations", g.UserToken, hello).Status)
	}
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	t.Logf("%d changes, request to reply: p50 %s, p99 %s", len(took), took[len(took)/2], took[len(took)*99/100])
}

// TestANewHostIsReachableAtOnce: an endpoint at an address that Envoy has never
// heard of works for the first request after the reply.
func TestANewHostIsReachableAtOnce(t *testing.T) {
	g := rig.Start(t, rig.Options{Config: "  allow_private: true\n"})
	for i := range times(10, 50) {
		s, err := simulate.Start(g.OpenAI)
		require.NoError(t, err)
		name := fmt.Sprintf("host-%d", i)
		g.Admin("POST", endpoints, rig.Endpoint(name, "chat", "openai", "gpt-4o-mini",
			map[string]string{"openai_api_key": rig.OpenAIKey, "openai_api_base": s.URL + "/v1"}))
		r := g.Call("POST", "/endpoints/"+name+"/invocations", g.UserToken, hello)
		require.Equal(t, 200, r.Status, "%s", r.Body)
		require.NoError(t, s.Close())
	}
}

// TestChangesUnderLoadFailNoCall makes changes of every kind while calls go on
// at endpoints that the changes do not forbid.
func TestChangesUnderLoadFailNoCall(t *testing.T) {
	g := rig.Start(t, rig.Options{})
	var calls, failed atomic.Int64
	stop := make(chan struct{})
	var load sync.WaitGroup
	for i := range 4 {
		load.Add(1)
		go func() {
			defer load.Done()
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				body, backend := hello, []string{"openai", "anthropic"}[(i+n)%2]
				if n%5 == 0 {
					body = `{"stream":true,` + hello[1:]
				}
				r, err := g.Do("POST", "/endpoints/chat-"+backend+"/invocations", g.UserToken, body)
				calls.Add(1)
				if err != nil || r.Status != 200 {
					failed.Add(1)
					t.Errorf("a call failed: %v %d %s", err, r.Status, r.Body)
				}
			}
		}()
	}
	for i := range times(100, 1000) {
		name := fmt.Sprintf("other-%d", rand.IntN(20))
		var body, method, path string
		switch i % 5 {
		case 0:
			method, path = "POST", endpoints
			body = rig.Endpoint(name, "chat", "openai", "gpt-4o-mini", map[string]string{"openai_api_key": rig.OpenAIKey})
		case 1:
			method, path, body = "PATCH", endpoints+"/"+name, `{"modelName":"gpt-4o"}`
		case 2:
			method, path, body = "PATCH", endpoints+"/chat-openai/permissions", `{"isEveryoneAllowed":true,"userIds":[]}`
		case 3:
			method, path, body = "PATCH", endpoints+"/chat-anthropic", fmt.Sprintf(`{"modelName":"claude-%d"}`, i)
		case 4:
			method, path = "DELETE", endpoints+"/"+name
		}
		r := g.Call(method, path, g.AdminToken, body)
		require.Contains(t, []int{200, 400, 404}, r.Status, "%s %s: %s", method, path, r.Body) // twice made or not there: by chance
	}
	close(stop)
	load.Wait()
	require.Zero(t, failed.Load())
	t.Logf("%d calls went on meanwhile", calls.Load())
}

// TestACertificateIsReplacedWhileServing, without a restart or a failed call;
// a bad one is refused.
func TestACertificateIsReplacedWhileServing(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	ca := newCA(t)
	ca.write(t, cert, key, 1)
	g := rig.Start(t, rig.Options{CA: ca.file(t), BareEndpoints: true,
		Config: fmt.Sprintf("tls: { certificate: %s, key: %s }\n", cert, key)})
	require.EqualValues(t, 1, serial(t, g))
	for i := int64(2); i < int64(times(4, 20)); i++ {
		ca.write(t, cert, key, i)
		eventually(t, "the new certificate is served", func() bool {
			require.Equal(t, 200, g.Call("POST", "/endpoints/practice/invocations", g.UserToken, hello).Status)
			return serial(t, g) == i
		})
	}
	last := serial(t, g)
	require.NoError(t, os.WriteFile(cert, []byte("not a certificate"), 0o600))
	eventually(t, "the refusal is logged", func() bool { return strings.Contains(g.Output(), "the new certificate was refused") })
	require.Equal(t, last, serial(t, g))
}
