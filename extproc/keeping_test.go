package extproc_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/extproc"
	"sluice/extproc/dialect/eventstream"
	"sluice/internal/audit"
	"sluice/internal/decision"
)

func chatOf(endpoint string) string { return `{"model":"` + endpoint + `",` + chat[1:] }

// TestTheStrictestSaysWhatIsKept: of installation, endpoint and policy.
func TestTheStrictestSaysWhatIsKept(t *testing.T) {
	audited := func(v any) map[string]any { return map[string]any{"audit": v} }
	for _, c := range []struct {
		installation, endpoint string
		obligations            map[string]any
		want                   string
		applied                []string
	}{
		{"", "chat", nil, "full", nil},
		{"redacted", "chat", nil, "redacted", nil},
		{"none", "chat", nil, "none", nil},
		{"", "careful", nil, "redacted", nil},
		{"redacted", "quiet", nil, "none", nil},
		{"none", "careful", nil, "none", nil},
		{"", "chat", map[string]any{"max_tokens": 5}, "full", nil},
		{"", "chat", audited(map[string]any{"bodies": "none"}), "none", []string{"audit.bodies"}},
		{"", "chat", audited(map[string]any{"bodies": "redacted"}), "redacted", []string{"audit.bodies"}},
		{"redacted", "chat", audited(map[string]any{"bodies": "full"}), "redacted", []string{"audit.bodies"}},
		{"", "quiet", audited(map[string]any{"bodies": "redacted"}), "none", []string{"audit.bodies"}},
		// What nobody understands keeps nothing.
		{"", "chat", audited(map[string]any{"bodies": "nothing"}), "none", []string{"audit.unknown"}},
		{"", "chat", audited(map[string]any{"bodies": nil}), "none", []string{"audit.unknown"}},
		{"", "chat", audited(map[string]any{"body": "full"}), "none", []string{"audit.unknown"}},
		{"", "chat", audited(map[string]any{"bodies": "full", "more": 1}), "none", []string{"audit.unknown"}},
		{"", "chat", audited(map[string]any{}), "none", []string{"audit.unknown"}},
		{"", "chat", audited("none"), "none", []string{"audit.unknown"}},
	} {
		w := newWorld(t, func(o *extproc.Options) { o.Bodies = c.installation })
		w.decision.Obligations = c.obligations
		forwarded(t, w, "/v1/chat/completions", chatOf(c.endpoint))
		require.Equal(t, c.want, w.req.Bodies, "%+v", c)
		require.Equal(t, c.applied, w.req.Applied, "%+v", c)
	}
}

// TestWhatNobodyFoundIsKeptAsTheStrictest: a request that names no endpoint may
// have been meant for any, and one that the policy failed to judge may have had
// any obligation.
func TestWhatNobodyFoundIsKeptAsTheStrictest(t *testing.T) {
	w := newWorld(t)
	refused := func(path, body string) {
		s := w.open()
		s.say(requestHead(path, bearer...))
		if body != "" {
			s.say(requestBody(body))
		}
	}
	refused("/v1/chat/completions", `{"model":"unknown",`+chat[1:])
	require.Equal(t, "none", w.req.Bodies)
	refused("/v1/chat/completions", `not json`)
	require.Equal(t, "none", w.req.Bodies)
	w.policyErr = errDisk
	refused("/v1/chat/completions", chatOf("chat"))
	require.Equal(t, "none", w.req.Bodies)
	w.policyErr, w.decision = nil, decision.Decision{Reasons: []decision.Reason{{Code: "not_permitted"}}}
	refused("/v1/chat/completions", chatOf("chat"))
	require.Equal(t, "full", w.req.Bodies, "a denial is kept as a call is")
	refused("/v1/chat/completions", chatOf("careful"))
	require.Equal(t, "redacted", w.req.Bodies)
}

// TestPathsBelowAnEndpointAreTheClientsWords, so they go where bodies do not stay.
func TestPathsBelowAnEndpointAreTheClientsWords(t *testing.T) {
	w := newWorld(t)
	forwarded(t, w, "/native/chat/v1/files/jane.doe", chat)
	require.Equal(t, "/native/chat/v1/files/jane.doe", w.req.Path)
	forwarded(t, w, "/native/quiet/v1/files/jane.doe?x=1", chat)
	require.Equal(t, "/native/quiet", w.req.Path)
	s := w.open()
	s.say(requestHead("/native/quiet/v1/" + strings.Repeat("jane", 1000)))
	require.Equal(t, "/native/quiet", w.req.Path)
}

// TestCredentialsAreInNoBody: neither the caller's own token nor the provider's
// key, whoever repeats it.
func TestCredentialsAreInNoBody(t *testing.T) {
	w := newWorld(t, func(o *extproc.Options) { o.ProviderBodies = true })
	body := `{"model":"chat","messages":[{"role":"user","content":"my token is ` + goodToken + `"}]}`
	s, up := forwarded(t, w, "/v1/chat/completions", body)
	require.Contains(t, string(up.BodyMutation.GetBody()), goodToken, "what is sent is not changed")
	s.say(responseHead(":status", "200", "content-type", "application/json"))
	answer := `{"choices":[{"message":{"content":"` + secret + " " + goodToken + `"}}]}`
	r := s.say(responseBody(answer, true))
	require.Nil(t, r.GetResponseBody().GetResponse().GetBodyMutation(), "what is answered is not changed")
	require.Equal(t, strings.ReplaceAll(body, goodToken, "[credential]"), w.wanted)
	require.Equal(t, `{"choices":[{"message":{"content":"[credential] [credential]"}}]}`, string(w.body))
	require.Len(t, w.parts, 2)
	for _, p := range w.parts {
		require.NotContains(t, p.body, secret)
		require.NotContains(t, p.body, goodToken)
	}
}

// TestProviderBodies: the request before it leaves, the reply before the record
// ends.
func TestProviderBodies(t *testing.T) {
	with := func(o *extproc.Options) { o.ProviderBodies = true }
	w := newWorld(t, with)
	s, up := forwarded(t, w, "/endpoints/chat/invocations", chat)
	require.Equal(t, []string{"begin", "part provider_request"}, w.events)
	require.Equal(t, string(up.BodyMutation.GetBody()), w.parts[0].body)
	s.say(responseHead(":status", "429", "content-type", "application/json"))
	s.say(responseBody(`{"error":{"message":"slow down"}}`, true))
	require.Equal(t, []string{"begin", "part provider_request", "part provider_response", "end provider_error"}, w.events)
	require.Equal(t, `{"error":{"message":"slow down"}}`, w.parts[1].body)
	require.Len(t, w.last.Attempts, 1)
	require.Equal(t, 429, w.last.Attempts[0].Status)

	w = newWorld(t, with)
	forwarded(t, w, "/endpoints/quiet/invocations", chat)
	require.Empty(t, w.parts, "nothing is kept where no bodies are")

	// Several targets: each request that leaves.
	w = newWorld(t, with)
	router, meta := w.begin()
	w.attempt(meta, 1)
	w.attempt(meta, 2)
	router.say(responseHead(":status", "200", "content-type", "application/json"))
	router.say(responseBody(`{"content":[{"type":"text","text":"hi"}]}`, true))
	require.Len(t, w.parts, 3)
	require.Contains(t, w.parts[0].body, "gpt-4o-mini")
	require.Contains(t, w.parts[1].body, "claude-x")
	require.Equal(t, `{"content":[{"type":"text","text":"hi"}]}`, w.parts[2].body)

	// A trail that does not take the part: nothing leaves.
	w = newWorld(t, with)
	w.trailErr["part"] = errDisk
	o := w.open()
	o.say(requestHead("/endpoints/chat/invocations", bearer...))
	r := o.say(requestBody(chat))
	require.EqualValues(t, 503, r.GetImmediateResponse().GetStatus().GetCode())
	require.Equal(t, []string{"begin", "end gateway_error"}, w.events)
	require.Empty(t, w.last.Attempts)
}

const streamed = `{"model":"chat","stream":true,"messages":[{"role":"user","content":"hi"}]}`

func delta(text string) string {
	return `data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":` + strconv.Quote(text) + `}}]}` + "\n\n"
}

func (w *world) stream(path, body string) *script {
	w.t.Helper()
	s, _ := forwarded(w.t, w, path, body)
	s.say(responseHead(":status", "200", "content-type", "text/event-stream"))
	return s
}

// TestABrokenStreamIsMarked: the record has what the client got.
func TestABrokenStreamIsMarked(t *testing.T) {
	w := newWorld(t)
	s := w.stream("/v1/chat/completions", streamed)
	s.say(responseBody(delta("he"), false))
	s.end()
	require.Equal(t, []string{"begin", "end client_gone"}, w.events)
	require.True(t, w.last.Partial)
	require.Equal(t, audit.FormMessage, w.last.BodyForm)
	require.Contains(t, string(w.body), `"content":"he"`)

	w = newWorld(t)
	w.stream("/v1/chat/completions", streamed).end()
	require.False(t, w.last.Partial, "nothing came, and nothing is missing")
	require.Empty(t, w.last.BodyForm)
}

// TestStreamEvents are written in pieces while the stream goes on.
func TestStreamEvents(t *testing.T) {
	w := newWorld(t, func(o *extproc.Options) { o.StreamEvents, o.ProviderBodies = true, true })
	s := w.stream("/v1/chat/completions", streamed)
	var all strings.Builder
	for range 40 {
		event := delta(strings.Repeat("q", 16<<10))
		all.WriteString(event)
		s.say(responseBody(event, false))
	}
	require.Greater(t, len(w.parts), 3, "not held until the end")
	all.WriteString("data: [DONE]\n\n")
	s.say(responseBody("data: [DONE]\n\n", false))
	got := map[string]string{}
	for _, p := range w.parts[1:] {
		got[p.kind] += p.body
		require.Less(t, len(p.body), 300<<10)
	}
	require.Equal(t, all.String(), got[audit.PartStreamEvents])
	require.Equal(t, all.String(), got[audit.PartProviderResponse])
	require.Equal(t, "end answered", w.events[len(w.events)-1])
	require.Equal(t, audit.FormMessage, w.last.BodyForm)
	require.Equal(t, 640<<10, strings.Count(string(w.body), "q"))
}

// TestRedactedStreams keep no events, since what is to be found in them may be
// cut by any; the provider's are put together too.
func TestRedactedStreams(t *testing.T) {
	w := newWorld(t, func(o *extproc.Options) { o.StreamEvents, o.ProviderBodies = true, true })
	s := w.stream("/v1/chat/completions", strings.Replace(streamed, "chat", "careful", 1))
	for _, text := range []string{"jane@", "example", ".com"} {
		s.say(responseBody(delta(text), false))
	}
	s.say(responseBody("data: [DONE]\n\n", false))
	require.Len(t, w.parts, 2)
	require.Equal(t, audit.PartProviderResponse, w.parts[1].kind)
	for _, body := range []string{w.parts[1].body, string(w.body)} {
		require.Contains(t, body, "jane@example.com", "whole, for the redactor of the trail")
		require.NotContains(t, body, "data:")
	}

	w = newWorld(t)
	s = w.stream("/native/careful/v1/odd", `{"stream":true}`)
	s.say(responseBody("event: odd\ndata: jane@example.com\n\n", false))
	s.say(responseBody("", true))
	require.Empty(t, w.body)
	require.Equal(t, audit.FormDropped, w.last.BodyForm)

	w = newWorld(t)
	s = w.stream("/v1/chat/completions", strings.Replace(streamed, "chat", "quiet", 1))
	s.say(responseBody(delta("hi")+"data: [DONE]\n\n", false))
	require.Empty(t, w.body)
	require.Empty(t, w.last.BodyForm)
	require.NotZero(t, w.last.ResponseBytes)
}

// TestNativeStreamsArePutTogether whatever their framing, so that they can be
// redacted; one that ends before its end is said to be a part.
func TestNativeStreamsArePutTogether(t *testing.T) {
	frames := eventstream.Append(nil, eventstream.Event, "messageStart", []byte(`{"role":"assistant"}`))
	frames = eventstream.Append(frames, eventstream.Event, "contentBlockDelta", []byte(`{"contentBlockIndex":0,"delta":{"text":"jane@"},"p":"ab"}`))
	frames = eventstream.Append(frames, eventstream.Event, "contentBlockDelta", []byte(`{"contentBlockIndex":0,"delta":{"text":"example.com"},"p":"ab"}`))
	whole := eventstream.Append(frames[:len(frames):len(frames)], eventstream.Event, "messageStop", []byte(`{"stopReason":"end_turn"}`))
	lines := `{"event_type":"stream-start","is_finished":false}` + "\n" + `{"event_type":"text-generation","is_finished":false,"text":"jane@example.com"}` + "\n"
	for _, c := range []struct {
		ctype, stream, want string
		partial             bool
	}{
		{eventstream.ContentType, string(whole), `{"stopReason":"end_turn","output":{"message":{"role":"assistant","content":[{"text":"jane@example.com"}]}}}`, false},
		{eventstream.ContentType, string(frames), `{"output":{"message":{"role":"assistant","content":[{"text":"jane@example.com"}]}}}`, true},
		{"application/stream+json", lines, `{"text":"jane@example.com"}`, true},
		{"application/stream+json", lines + `{"event_type":"stream-end","is_finished":true,"finish_reason":"COMPLETE"}`, `{"text":"jane@example.com","finish_reason":"COMPLETE"}`, false},
	} {
		for _, endpoint := range []string{"chat", "careful"} {
			w := newWorld(t)
			s, _ := forwarded(t, w, "/native/"+endpoint+"/v1/odd", `{"stream":true}`)
			s.say(responseHead(":status", "200", "content-type", c.ctype))
			for piece := range slices.Chunk([]byte(c.stream), 11) {
				s.say(responseBody(string(piece), false))
			}
			s.say(responseBody("", true))
			require.JSONEq(t, c.want, string(w.body), "%s, %s", c.ctype, endpoint)
			require.Equal(t, audit.FormMessage, w.last.BodyForm)
			require.Equal(t, c.partial, w.last.Partial, c.want)
		}
	}
}

// TestUnknownStreamsAreKeptAsTheyAre, the long ones in pieces.
func TestUnknownStreamsAreKeptAsTheyAre(t *testing.T) {
	w := newWorld(t)
	s := w.stream("/native/chat/v1/odd", `{"stream":true}`)
	s.say(responseBody("event: odd\ndata: 1\n\n", false))
	s.say(responseBody("", true))
	require.Equal(t, "event: odd\ndata: 1\n\n", string(w.body))
	require.Equal(t, audit.FormEvents, w.last.BodyForm)

	w = newWorld(t)
	s = w.stream("/native/chat/v1/odd", `{"stream":true}`)
	for range 30 {
		s.say(responseBody("data: "+strings.Repeat("x", 16<<10)+"\n\n", false))
	}
	require.NotEmpty(t, w.parts, "not held until the end")
	s.say(responseBody("", true))
	require.Empty(t, w.body)
	var all string
	for _, p := range w.parts {
		require.Equal(t, audit.PartStreamEvents, p.kind)
		all += p.body
	}
	require.Len(t, all, int(w.last.ResponseBytes))
	require.Equal(t, audit.FormEvents, w.last.BodyForm)
}

// TestCredentialsAreInNoWords: some put their token where a name belongs, or write
// it with JSON's escapes.
func TestCredentialsAreInNoWords(t *testing.T) {
	escaped := ""
	for _, c := range []byte(goodToken) {
		escaped += fmt.Sprintf(`\u%04X`, c)
	}
	lost := "slu_" + strings.Repeat("9", 49) // of the same form, and not what was presented
	for path, body := range map[string]string{
		"/endpoints/" + goodToken + "/invocations":     chat,
		"/native/chat/v1/files/" + goodToken:           chat,
		"/native/chat/v1/files/" + lost:                chat,
		"/nowhere/" + goodToken:                        "",
		"/v1/chat/completions":                         chatOf(goodToken),
		"/v1/completions":                              `{"model":"` + lost + `","prompt":"hello"}`,
		"/v1/embeddings":                               `{"model":"chat","input":"` + escaped + ` \\u0073"}`,
		"/endpoints/chat/invocations?key=" + goodToken: strings.Replace(chat, "{", `{"`+escaped+`":1,`, 1),
	} {
		w := newWorld(t)
		s := w.open()
		s.say(requestHead(path, bearer...))
		if body != "" {
			s.say(requestBody(body))
		}
		require.NotEmpty(t, w.events, path)
		if w.req.Bodies == audit.BodiesNone {
			w.wanted = "" // the trail keeps none of it
		}
		told, err := json.Marshal([]any{w.req, w.last, w.wanted})
		require.NoError(t, err)
		for _, secret := range []string{goodToken, lost, escaped, strings.ReplaceAll(escaped, `\`, `\\`)} {
			require.NotContains(t, string(told), secret, path)
		}
		if strings.Contains(path+body, goodToken+`"`) || strings.HasPrefix(path, "/native") {
			require.Contains(t, string(told), "[credential]", path)
		}
	}
}

func TestEscapedCredentialsOfProviders(t *testing.T) {
	for in, want := range map[string]string{
		`"a\/b+c12345"`: `"[credential]"`,
		`"a/b+c12345"`:  `"[credential]"`,
		`"x\u0061/b\u002bc12345y\u0061\/b+c12345"`: `"x[credential]y[credential]"`,
		`"\u0061/b+c1234"`:                         `"\u0061/b+c1234"`,
		`"a\/b+c1234\u00"`:                         `"a\/b+c1234\u00"`,
	} {
		require.Equal(t, want, string(extproc.Without([]byte(in), "a/b+c12345")))
	}
}
