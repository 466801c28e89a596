package extproc_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a streamed client is given is kept for the record, so that a stream
// without an end must not go on: it is broken off where a whole reply would be
// refused.
func TestAStreamWithoutAnEndIsBrokenOff(t *testing.T) {
	w := newWorld(t)
	s, _ := forwarded(t, w, "/v1/chat/completions", `{"model":"chat","stream":true,`+chat[1:])
	s.say(responseHead(":status", "200", "content-type", "text/event-stream"))
	event := `data: {"choices":[{"index":0,"delta":{"content":"` + strings.Repeat("q", 1<<20) + `"}}]}` + "\n\n"
	for range 31 {
		require.NotEmpty(t, s.say(responseBody(event, false)).GetResponseBody().Response.BodyMutation.GetBody())
	}
	s.in <- responseBody(event, false)
	require.Error(t, <-s.done, "Envoy resets the exchange on both sides")
	require.Equal(t, []string{"begin", "end provider_error"}, w.events)
	require.Equal(t, "provider_reply_too_large", w.last.Code)
	require.Equal(t, 31<<20, bytes.Count(w.body, []byte("q")), "the record has what the client was given")
	require.True(t, w.last.Partial)
}

// Some clients put their key into the query; nothing there means anything here.
func TestAQueryIsNotRecorded(t *testing.T) {
	w := newWorld(t)
	forwarded(t, w, "/endpoints/chat/invocations?key="+goodToken, chat)
	require.Equal(t, "/endpoints/chat/invocations", w.req.Path)
}
