package provider_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/bench/provider"
)

func answer(body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	(&provider.Handler{}).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(body)))
	return w
}

func TestAnswerIsOfTheUsualSize(t *testing.T) {
	w := answer(`{"model":"m"}`)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.InDelta(t, 600, w.Body.Len(), 80)
	require.True(t, json.Valid(w.Body.Bytes()))
}

func TestStreamHasItsChunks(t *testing.T) {
	w := answer(`{"model":"m","stream":true}`)
	require.Equal(t, "text/event-stream; charset=utf-8", w.Header().Get("Content-Type"))
	require.Equal(t, provider.Chunks, strings.Count(w.Body.String(), `"content":" word`))
	require.True(t, strings.HasSuffix(w.Body.String(), "data: [DONE]\n\n"))
	for _, line := range strings.Split(w.Body.String(), "\n") {
		if data, ok := strings.CutPrefix(line, "data: {"); ok {
			require.True(t, json.Valid([]byte("{"+data)), data)
		}
	}
}
