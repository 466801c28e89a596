package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
	"sluice/internal/simulate"
)

// firstFails are the ways in which a first target fails: by where it is, or by
// what it does.
var firstFails = map[string]struct {
	base   string // of the API; empty: the stand-in
	act    simulate.Act
	status int    // in the record
	code   string // in the record
}{
	"connection refused":     {base: "https://refused.example/v1"},
	"408":                    {act: simulate.Act{Fault: simulate.Fail, Status: 408}, status: 408},
	"certificate of another": {base: "https://wrong-name.example/v1"},
	"reset before the head":  {act: simulate.Act{Fault: simulate.ResetHead}, code: "provider_no_reply"},
	"no head in time":        {act: simulate.Act{Fault: simulate.StallHead}, code: "provider_timeout"},
	"401":                    {act: simulate.Act{Fault: simulate.Fail, Status: 401}, status: 401},
	"403":                    {act: simulate.Act{Fault: simulate.Fail, Status: 403}, status: 403},
	"404":                    {act: simulate.Act{Fault: simulate.Fail, Status: 404}, status: 404},
	"429":                    {act: simulate.Act{Fault: simulate.Fail, Status: 429}, status: 429},
	"500":                    {act: simulate.Act{Fault: simulate.Fail, Status: 500}, status: 500},
	"502":                    {act: simulate.Act{Fault: simulate.Fail, Status: 502}, status: 502},
	"503":                    {act: simulate.Act{Fault: simulate.Fail, Status: 503}, status: 503},
	"504":                    {act: simulate.Act{Fault: simulate.Fail, Status: 504}, status: 504},
	"529":                    {act: simulate.Act{Fault: simulate.Fail, Status: 529}, status: 529},
}

// target is a target as PUT takes it.
func target(name, provider, model, order string, config map[string]string) string {
	return fmt.Sprintf(`{"name":%q,"order":%s,"modelProvider":%q,"modelName":%q,"modelConfig":%s}`,
		name, order, provider, model, toJSON(config))
}

func setTargets(t *testing.T, g *rig.Gateway, endpoint, timeout string, targets ...string) {
	t.Helper()
	g.Admin("PUT", "/api/sluice/v1/endpoints/"+endpoint+"/targets",
		fmt.Sprintf(`{"headTimeout":%q,"targets":[%s]}`, timeout, strings.Join(targets, ",")))
}

// TestFallback: the first target fails in each way, in both directions; the
// second answers, in the client's dialect, with its own credential.
func TestFallback(t *testing.T) {
	g := rig.Start(t, rig.Options{Limits: "{ idle_timeout: 60s }"})
	for name, f := range firstFails {
		if f.act.Fault == simulate.StallHead {
			continue
		}
		for _, first := range []string{"openai", "anthropic"} {
			t.Run(name+"/"+first, func(t *testing.T) { playFallback(t, g, name, first, "50s", "51s") })
		}
	}
}

// TestFallbackFromSilence is TestFallback for a first target that does not answer
// in time, which each call waits for. The second has as long.
func TestFallbackFromSilence(t *testing.T) {
	for _, first := range []string{"openai", "anthropic"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel() // it waits, mostly
			g := rig.Start(t, rig.Options{Limits: "{ idle_timeout: 60s }"})
			playFallback(t, g, "no head in time", first, "4s", "5s")
		})
	}
}

// playFallback lets the target first fail in one of the ways of firstFails;
// patience is the time that each target has for the head of its reply, another
// one that differs.
func playFallback(t *testing.T, g *rig.Gateway, name, first, patience, another string) {
	endpoint := "fb-" + strings.ReplaceAll(name, " ", "-") + "-" + first
	f := firstFails[name]
	openai, anthropic := map[string]string{"openai_api_key": rig.OpenAIKey}, map[string]string{"anthropic_api_key": rig.AnthropicKey}
	failing, answering := g.OpenAI, g.Anthropic
	a := func(order string) string { return target("a", "openai", "gpt-4o-mini", order, openai) }
	b := func(order string) string { return target("b", "anthropic", "claude-sonnet-4-5", order, anthropic) }
	list := []string{a("0"), b("1")}
	if first == "anthropic" {
		failing, answering = g.Anthropic, g.OpenAI
		list = []string{b("0"), a("1")}
	}
	if f.base != "" {
		openai["openai_api_base"], anthropic["anthropic_api_base"] = f.base, f.base
		if first == "openai" {
			delete(anthropic, "anthropic_api_base")
			list = []string{a("0"), b("1")}
		} else {
			delete(openai, "openai_api_base")
			list = []string{b("0"), a("1")}
		}
	}
	g.Admin("POST", "/api/aigateway/v1/endpoints",
		rig.Endpoint(endpoint, "chat", "openai", "gpt-4o-mini", map[string]string{"openai_api_key": rig.OpenAIKey}))
	setTargets(t, g, endpoint, patience, list...)
	for _, stream := range []string{"false", "true"} {
		for _, dialect := range []string{"openai", "mlflow"} {
			failing.Forget()
			answering.Forget()
			if f.base == "" {
				failing.Next(f.act)
			}
			path, body := "/endpoints/"+endpoint+"/invocations", `{"max_tokens":32,"stream":`+stream+`,`+hello[1:]
			if dialect == "openai" {
				path, body = "/v1/chat/completions", `{"model":"`+endpoint+`","max_tokens":32,"stream":`+stream+`,`+hello[1:]
			}
			r := g.Call("POST", path, g.UserToken, body)
			require.Equal(t, http.StatusOK, r.Status, string(r.Body))
			require.Contains(t, string(r.Body), "choices")
			require.NotContains(t, string(r.Body), `"error"`)
			require.Len(t, answering.Requests(), 1)
			got := answering.Requests()[0]
			for header, values := range got.Header {
				require.NotContains(t, strings.Join(values, " "), map[string]string{"openai": rig.OpenAIKey, "anthropic": rig.AnthropicKey}[first], header)
			}
			o := outcome(t, record(t, g, r.Header.Get("X-Request-Id")))
			attempts := o["attempts"].([]any)
			require.Len(t, attempts, 2, "%v", o)
			one := attempts[0].(map[string]any)
			if f.status != 0 {
				require.EqualValues(t, f.status, one["status"])
			}
			switch {
			case f.status != 0:
			case f.base != "": // whether the attempt came to the gateway's notice before it failed is up to chance
				require.Contains(t, []any{"provider_unreachable", "provider_no_reply"}, one["code"])
			default:
				require.Equal(t, f.code, one["code"])
			}
			require.EqualValues(t, 200, attempts[1].(map[string]any)["status"])
			require.Equal(t, "answered", o["result"])
			// A target that was left alone would not fail again.
			setTargets(t, g, endpoint, another, list...)
			setTargets(t, g, endpoint, patience, list...)
		}
	}
}

// pair makes an endpoint of the two stand-ins, OpenAI's first.
func pair(t *testing.T, g *rig.Gateway, name string, weights ...int) {
	t.Helper()
	g.Admin("POST", "/api/aigateway/v1/endpoints",
		rig.Endpoint(name, "chat", "openai", "gpt-4o-mini", map[string]string{"openai_api_key": rig.OpenAIKey}))
	a := target("a", "openai", "gpt-4o-mini", "0", map[string]string{"openai_api_key": rig.OpenAIKey})
	b := target("b", "anthropic", "claude-sonnet-4-5", "1", map[string]string{"anthropic_api_key": rig.AnthropicKey})
	if len(weights) > 0 {
		a = fmt.Sprintf(`{"weight":%d,%s`, weights[0], a[1:])
		b = fmt.Sprintf(`{"weight":%d,%s`, weights[1], strings.Replace(b[1:], `"order":1,`, `"order":0,`, 1))
	}
	setTargets(t, g, name, "0s", a, b)
}

// TestBrokenStreamIsNotRestarted: after the first byte there is no second
// target, and the client is told.
func TestBrokenStreamIsNotRestarted(t *testing.T) {
	g := rig.Start(t, rig.Options{})
	pair(t, g, "two")
	g.OpenAI.Next(simulate.Act{Fault: simulate.Truncate})
	r := g.Call("POST", "/v1/chat/completions", g.UserToken, `{"model":"two","stream":true,`+hello[1:])
	require.Equal(t, 200, r.Status)
	require.Contains(t, string(r.Body), "stream_truncated")
	require.Empty(t, g.Anthropic.Requests())
	require.Equal(t, "provider_error", outcome(t, record(t, g, r.Header.Get("X-Request-Id")))["result"])
}

// TestAllTargetsFail: the last one's words reach the client, in its dialect,
// with the time to wait.
func TestAllTargetsFail(t *testing.T) {
	g := rig.Start(t, rig.Options{})
	pair(t, g, "two")
	g.OpenAI.Next(simulate.Act{Fault: simulate.Fail, Status: 500})
	g.Anthropic.Next(simulate.Act{Fault: simulate.Fail, Status: 429, RetryAfter: "60"})
	r := g.Call("POST", "/v1/chat/completions", g.UserToken, `{"model":"two",`+hello[1:])
	require.Equal(t, 429, r.Status, string(r.Body))
	require.Equal(t, "60", r.Header.Get("Retry-After"))
	require.Contains(t, string(r.Body), `"error":{"message"`)
	o := outcome(t, record(t, g, r.Header.Get("X-Request-Id")))
	require.Equal(t, "provider_error", o["result"])
	require.Equal(t, "b", o["target"])
	require.Len(t, o["attempts"], 2)
	// What asked to be left alone is seen in status.
	require.Contains(t, string(g.Admin("GET", "/api/sluice/v1/status", "").Body), `"state":"cooling"`)
	// And is tried last.
	g.OpenAI.Forget()
	g.Anthropic.Forget()
	r = g.Call("POST", "/v1/chat/completions", g.UserToken, `{"model":"two",`+hello[1:])
	require.Equal(t, 200, r.Status)
	require.Len(t, g.OpenAI.Requests(), 1)
}

// TestSplitAndSessions: calls are shared by weight, and a session stays.
func TestSplitAndSessions(t *testing.T) {
	g := rig.Start(t, rig.Options{})
	pair(t, g, "split", 90, 10)
	calls := times(1000, 10_000)
	counts := [2]int{}
	for range calls {
		r := g.Call("POST", "/v1/chat/completions", g.UserToken, `{"model":"split",`+hello[1:])
		require.Equal(t, 200, r.Status, string(r.Body))
		if strings.Contains(string(r.Body), "claude") {
			counts[1]++
		} else {
			counts[0]++
		}
	}
	// Four standard deviations for the short run, one point for the long.
	require.InDelta(t, 0.9, float64(counts[0])/float64(calls), map[bool]float64{true: 0.01, false: 0.04}[long()], "%v", counts)
	for i := range 20 {
		seen := map[bool]bool{}
		for range 5 {
			r := g.Call("POST", "/v1/chat/completions", g.UserToken, `{"model":"split",`+hello[1:], "X-Session-Id", fmt.Sprint("s", i))
			require.Equal(t, 200, r.Status)
			seen[strings.Contains(string(r.Body), "claude")] = true
		}
		require.Len(t, seen, 1)
	}
	require.NotContains(t, fmt.Sprint(g.OpenAI.Requests()), "X-Session-Id")
}
