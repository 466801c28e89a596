package extproc_test

import (
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/structpb"

	"sluice/xds"
)

const ask = `{"model":"two","messages":[{"role":"user","content":"hi"}]}`

// begin sends a call of an endpoint with two targets as far as Envoy's routing.
func (w *world) begin() (*script, *structpb.Struct) {
	s := w.open()
	s.say(requestHead("/v1/chat/completions", "authorization", "Bearer "+goodToken, "x-client", "1"))
	r := s.say(requestBody(ask))
	set := setHeaders(r.GetRequestBody().GetResponse().GetHeaderMutation())
	require.Equal(w.t, "targets:2:0s", set["x-gateway-route"])
	require.True(w.t, r.GetRequestBody().GetResponse().GetClearRouteCache())
	return s, r.GetDynamicMetadata()
}

// attempt plays one attempt up to the request that leaves. carried are headers
// that are on the request already.
func (w *world) attempt(meta *structpb.Struct, n int, carried ...string) (*script, *extprocv3.CommonResponse) {
	s := w.stage(xds.StageUpstream)
	s.say(attemptHead(meta, n, carried...))
	return s, s.say(requestBody("{}")).GetRequestBody().GetResponse()
}

// attemptHead is the head of an attempt as Envoy sends it.
func attemptHead(meta *structpb.Struct, n int, carried ...string) *extprocv3.ProcessingRequest {
	groups := meta.Fields[xds.RouteNamespace].GetStructValue().Fields["priority_groups"].GetListValue().Values
	head := requestHead("/", carried...)
	head.MetadataContext = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{
		xds.StateNamespace: meta.Fields[xds.StateNamespace].GetStructValue(),
	}}
	head.Attributes = map[string]*structpb.Struct{"envoy.filters.http.ext_proc": {Fields: map[string]*structpb.Value{
		xds.AttributeCluster: groups[n-1].GetStructValue().Fields["name"],
		xds.AttributeAttempt: structpb.NewNumberValue(float64(n)),
	}}}
	return head
}

func TestSecondTargetAnswers(t *testing.T) {
	w := newWorld(t)
	router, meta := w.begin()
	first, c := w.attempt(meta, 1)
	set := setHeaders(c.HeaderMutation)
	require.Equal(t, "Bearer "+secret, set["authorization"])
	require.Equal(t, "/v1/chat/completions", set[":path"])
	require.Equal(t, "api.openai.com", set["host"])
	require.JSONEq(t, `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}`, string(c.BodyMutation.GetBody()))
	first.say(responseHead(":status", "429", "retry-after", "7"))
	first.end()

	w.now = w.now.Add(time.Second)
	second, c := w.attempt(meta, 2, "authorization", "Bearer "+secret, "accept", "application/json", "openai-organization", "o")
	set = setHeaders(c.HeaderMutation)
	require.Equal(t, secret+"-anthropic", set["x-api-key"])
	require.Equal(t, "/v1/messages", set[":path"])
	require.Equal(t, "api.anthropic.com", set["host"])
	require.NotContains(t, set, "authorization")
	require.Subset(t, c.HeaderMutation.RemoveHeaders, []string{"authorization", "openai-organization"})
	require.Contains(t, string(c.BodyMutation.GetBody()), `"model":"claude-x"`)
	second.say(responseHead(":status", "200", "content-type", "application/json"))
	second.end()

	router.say(responseHead(":status", "200", "content-type", "application/json"))
	r := router.say(responseBody(`{"id":"m","type":"message","role":"assistant","model":"claude-x",`+
		`"content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}`, true))
	require.Contains(t, string(r.GetResponseBody().GetResponse().GetBodyMutation().GetBody()), `"content":"hello"`)
	router.end()
	assert.Equal(t, "answered", w.last.Result)
	assert.Equal(t, "other", w.last.Target)
	assert.Equal(t, "anthropic", w.last.Provider)
	require.Len(t, w.last.Attempts, 2)
	assert.Equal(t, 429, w.last.Attempts[0].Status)
	assert.Equal(t, 200, w.last.Attempts[1].Status)
	assert.Equal(t, "one", w.req.Target)

	// The provider asked to be left alone: the next call begins at the other.
	require.Len(t, w.server.Health(), 1)
	require.True(t, w.server.Health()[0].Cooling)
	router, meta = w.begin()
	_, c = w.attempt(meta, 1)
	require.Contains(t, setHeaders(c.HeaderMutation), "x-api-key")
	_ = router
}

// TestStrangersInTheUpstreamStage: nothing leaves for an attempt that is not
// the next of an exchange that is under way.
func TestStrangersInTheUpstreamStage(t *testing.T) {
	w := newWorld(t)
	router, meta := w.begin()
	refused := func(change func(m *extprocv3.ProcessingRequest)) {
		t.Helper()
		s := w.stage(xds.StageUpstream)
		head := requestHead("/")
		head.MetadataContext = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{
			xds.StateNamespace: meta.Fields[xds.StateNamespace].GetStructValue(),
		}}
		head.Attributes = map[string]*structpb.Struct{"envoy.filters.http.ext_proc": {Fields: map[string]*structpb.Value{
			xds.AttributeCluster: structpb.NewStringValue("staged:https:api.openai.com:443"),
			xds.AttributeAttempt: structpb.NewNumberValue(1),
		}}}
		change(head)
		s.in <- head
		require.Error(t, <-s.done)
	}
	attributes := func(m *extprocv3.ProcessingRequest) map[string]*structpb.Value {
		return m.Attributes["envoy.filters.http.ext_proc"].Fields
	}
	refused(func(m *extprocv3.ProcessingRequest) { m.MetadataContext = nil })
	refused(func(m *extprocv3.ProcessingRequest) {
		attributes(m)[xds.AttributeCluster] = structpb.NewStringValue("staged:https:evil.example:443")
	})
	refused(func(m *extprocv3.ProcessingRequest) { attributes(m)[xds.AttributeAttempt] = structpb.NewNumberValue(3) })
	refused(func(m *extprocv3.ProcessingRequest) { attributes(m)[xds.AttributeAttempt] = structpb.NewNumberValue(0) })
	w.attempt(meta, 1)
	refused(func(*extprocv3.ProcessingRequest) {}) // an attempt is made once
	router.end()
	refused(func(*extprocv3.ProcessingRequest) {}) // the exchange is over
}

// TestAttemptsWithoutReply: what had no reply is told in the record.
func TestAttemptsWithoutReply(t *testing.T) {
	w := newWorld(t)
	router, meta := w.begin()
	first, _ := w.attempt(meta, 1)
	first.end()
	w.now = w.now.Add(time.Second)
	head := router.say(responseHead(":status", "503", "x-gateway-local", "upstream_reset_before_response_started{connection_failure}"))
	status, _ := localReply(t, router, head)
	require.Equal(t, 503, status)
	router.end()
	require.Len(t, w.last.Attempts, 2)
	require.Equal(t, "provider_no_reply", w.last.Attempts[0].Code)
	require.Equal(t, "provider_unreachable", w.last.Attempts[1].Code)
	require.Equal(t, "other", w.last.Target)
}
