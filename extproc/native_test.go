package extproc_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc"
	"sluice/extproc/provider"
	"sluice/internal/catalog"
	"sluice/xds"
)

// TestANativeCallLeavesWithNothingOfTheClients: what it says of itself to this
// gateway, and what would make another call of it than the policy saw.
func TestANativeCallLeavesWithNothingOfTheClients(t *testing.T) {
	w := newWorld(t)
	behind := []string{
		"cookie", "x-api-key", "openai-organization", "openai-project", "x-goog-user-project", "x-http-method-override",
		"x-method-override", "x-original-url", "x-rewrite-url", "x-portkey-custom-host", "x-portkey-config", "x-sluice-batch",
		"proxy-authorization", "x-amz-security-token", "x-amz-date", "origin", "referer",
	}
	more := []string{"openai-beta", "x=1"}
	for _, name := range behind {
		value := "client"
		if name == "x-api-key" {
			value = goodToken
		}
		more = append(more, name, value)
	}
	s, c := forwarded(t, w, "/native/chat/v1/chat/completions?a=1&key="+goodToken, `{"model":"gpt-4o-mini","model":"other"}`, more...)
	set := setHeaders(c.HeaderMutation)
	require.Equal(t, "Bearer "+secret, set["authorization"])
	require.Equal(t, "/v1/chat/completions?a=1", set[":path"])
	require.Equal(t, "x=1", set["openai-beta"])
	require.Subset(t, c.HeaderMutation.RemoveHeaders, behind)
	for _, name := range behind {
		require.NotContains(t, set, name)
	}
	require.Equal(t, []string{"gpt-4o-mini", "other"}, w.asked.Request.Native.Models)
	require.False(t, w.asked.Request.Native.Unnamed)

	r := s.say(responseHead(":status", "307", "location", "https://elsewhere.example.com/", "clear-site-data", "*", "set-cookie", "a=b",
		"content-security-policy", "default-src *", "openai-processing-ms", "1"))
	m := r.GetResponseHeaders().GetResponse().GetHeaderMutation()
	require.Subset(t, m.RemoveHeaders, []string{"location", "clear-site-data", "set-cookie"})
	require.NotContains(t, m.RemoveHeaders, "openai-processing-ms")
	require.Equal(t, "default-src 'none'; sandbox", setHeaders(m)["content-security-policy"])
	require.Equal(t, "nosniff", setHeaders(m)["x-content-type-options"])
}

func TestANativeCallThatCantBeReadIsRefused(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	r := s.say(largeHead("/native/chat/v1/chat/completions", "authorization", "Bearer "+goodToken, "content-encoding", "gzip"))
	require.EqualValues(t, 415, r.GetImmediateResponse().GetStatus().GetCode())
	require.Nil(t, w.asked)

	w = newWorld(t)
	s = w.open()
	s.say(requestHead("/native/chat/v1/batches", "authorization", "Bearer "+goodToken))
	s.say(requestBody(`{"input_file_id":"f"}`))
	require.True(t, w.asked.Request.Native.Unnamed)
}

// TestANativeCallGoesToTheTargetWithTheModel, whatever comes first in the plan.
func TestANativeCallGoesToTheTargetWithTheModel(t *testing.T) {
	for model, path := range map[string]string{"claude-x": "/v1/messages", "gpt-4o-mini": "/v1/chat/completions"} {
		w := newWorld(t)
		_, c := forwarded(t, w, "/native/two"+path, `{"model":"`+model+`"}`)
		set := setHeaders(c.HeaderMutation)
		require.Equal(t, model == "claude-x", set["x-api-key"] != "", model)
		require.Equal(t, model, w.req.Model)
	}
}

const fetched = "fetched-0123456789-abcdefghij"

// fetches adds what is fetched for a target.
type fetches [][2]string

func (fetches) Ready() error { return nil }

func (f fetches) Authorize(_ context.Context, up *provider.Upstream, _ string) error {
	up.Headers = append(up.Headers, f...)
	return nil
}

// withAuth replaces the endpoints by one, whose target is given a credential.
func (w *world) withAuth(target provider.Target, auth extproc.Authorizer) {
	e := &catalog.Endpoint{ID: "e9", Name: "auth", Type: catalog.TypeChat,
		Targets: []catalog.Target{{Name: "a", Provider: target.Provider, Model: target.Model}}}
	w.server.SetTable(extproc.NewTable(nil, []*catalog.Endpoint{e}, func(e *catalog.Endpoint) *extproc.Entry {
		return &extproc.Entry{Endpoint: e, Targets: []*extproc.Target{{Name: "a", Target: target, Auth: auth,
			Upstream: xds.Upstream{TLS: true, Host: "h.example.com", Port: 443}}}}
	}))
}

// TestAFetchedCredentialIsNotRepeated: a token is not a parameter, and stays out
// of what is told of a failure all the same: whole, cut or masked.
func TestAFetchedCredentialIsNotRepeated(t *testing.T) {
	databricks := provider.Target{Provider: "databricks", Model: "m", Config: map[string]string{
		"host": "https://h.example.com", "client_id": "i", "client_secret": "client-0123456789",
	}}
	for what, auth := range map[string]fetches{
		"token":   {{"authorization", "Bearer " + fetched}},
		"session": {{"authorization", "AWS4-HMAC-SHA256 Credential=other/20260101/r/s/aws4_request, Signature=0"}, {"x-amz-security-token", fetched}},
		"key":     {{"authorization", "AWS4-HMAC-SHA256 Credential=" + fetched + "/20260101/r/s/aws4_request, Signature=0"}},
	} {
		for path, ask := range map[string]string{
			"/v1/chat/completions":                                    `{"model":"auth","messages":[{"role":"user","content":"x"}]}`,
			"/endpoints/auth/invocations":                             `{"messages":[{"role":"user","content":"x"}]}`,
			"/v1/messages":                                            `{"model":"auth","max_tokens":5,"messages":[{"role":"user","content":"x"}]}`,
			"/native/auth/serving-endpoints/m/invocations":            `{"messages":[]}`,
			"/gateway/proxy/auth/serving-endpoints/m/invocations?a=b": `{}`,
		} {
			w := newWorld(t)
			w.withAuth(databricks, auth)
			s, _ := forwarded(t, w, path, ask)
			s.say(responseHead(":status", "400", "content-type", "application/json"))
			r := s.say(responseBody(`{"error":{"message":"bad token `+fetched+`, `+fetched[:12]+`, also `+fetched[:4]+`****"},"message":"`+fetched+`"}`, true))
			out := string(r.GetResponseBody().GetResponse().GetBodyMutation().GetBody()) + string(r.GetImmediateResponse().GetBody())
			require.Contains(t, out, "[redacted]", "%s %s: %v", what, path, r)
			for _, text := range []string{out, string(w.body), w.last.Message} {
				require.NotContains(t, text, fetched[:8], "%s %s", what, path)
			}
		}
	}
}

// TestAFetchedCredentialIsNotRepeatedInAStream: an error may come late.
func TestAFetchedCredentialIsNotRepeatedInAStream(t *testing.T) {
	w := newWorld(t)
	w.withAuth(provider.Target{Provider: "databricks", Model: "m", Config: map[string]string{"host": "https://h.example.com"}},
		fetches{{"authorization", "Bearer " + fetched}})
	s, _ := forwarded(t, w, "/v1/chat/completions", `{"model":"auth","stream":true,"messages":[{"role":"user","content":"x"}]}`)
	s.say(responseHead(":status", "200", "content-type", "text/event-stream"))
	r := s.say(responseBody(`data: {"error":{"message":"bad token `+fetched+`"}}`+"\n\n", true))
	out := string(r.GetResponseBody().GetResponse().GetBodyMutation().GetBody())
	require.Contains(t, out, "[redacted]")
	for _, text := range []string{out, string(w.body), w.last.Message} {
		require.NotContains(t, text, fetched)
	}
}

// lateBatches counts what is kept.
type lateBatches struct{ kept int }

func (b *lateBatches) At() xds.Upstream { return xds.Upstream{Local: "batch"} }

func (b *lateBatches) Add(provider.Upstream, xds.Upstream, func(context.Context, *provider.Upstream) error) (xds.Upstream, provider.Upstream, func()) {
	b.kept++
	return b.At(), provider.Upstream{Method: "POST", Path: "/"}, func() { b.kept-- }
}

// TestABatchOfAnAttemptThatBeginsTooLateIsForgotten: the client left while
// Envoy turned to the next target.
func TestABatchOfAnAttemptThatBeginsTooLateIsForgotten(t *testing.T) {
	w := newWorld(t)
	batches := &lateBatches{}
	w.server.Batches = batches
	target := func(name string) *extproc.Target {
		return &extproc.Target{Name: name, Weight: 1, Upstream: xds.Upstream{TLS: true, Host: "bedrock.example.com", Port: 443},
			Target: provider.Target{Provider: "bedrock", Model: "amazon.titan-embed-text-v2:0", Config: map[string]string{"aws_region": "us-east-1", "aws_bearer_token": "b-0123456789"}}}
	}
	e := &catalog.Endpoint{ID: "e9", Name: "late", Type: catalog.TypeEmbeddings, Targets: []catalog.Target{
		{Name: "a", Provider: "bedrock", Model: "m"}, {Name: "b", Provider: "bedrock", Model: "m"},
	}}
	w.server.SetTable(extproc.NewTable(nil, []*catalog.Endpoint{e}, func(e *catalog.Endpoint) *extproc.Entry {
		return &extproc.Entry{Endpoint: e, Targets: []*extproc.Target{target("a"), target("b")}}
	}))
	router := w.open()
	router.say(requestHead("/v1/embeddings", "authorization", "Bearer "+goodToken))
	r := router.say(requestBody(`{"model":"late","input":["x","y"]}`))
	first := w.stage(xds.StageUpstream)
	first.say(attemptHead(r.GetDynamicMetadata(), 1))
	router.end()
	first.in <- requestBody("{}")
	select {
	case err := <-first.done:
		require.Error(t, err)
	case <-first.out:
		t.Error("a request left after its exchange had ended")
	}
	require.Zero(t, batches.kept)
}
