// Package provider is a model provider that costs next to nothing: it reads
// the request and sends back a canned answer: OpenAI's, or Anthropic's or
// Bedrock's where the path is theirs.
package provider

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Chunks is the number of pieces of text in a streamed answer.
const Chunks = 20

// Handler answers chat completions.
type Handler struct {
	// Gap is the pause between the chunks of a stream, so that each of them
	// travels by itself, as a model's tokens do.
	Gap time.Duration
}

// format is how one provider answers.
type format struct {
	answer     []byte
	chunks     [][]byte
	streamType string
}

const eventStream = "text/event-stream; charset=utf-8"

var (
	openAI    = format{canned(), cannedChunks(), eventStream}
	anthropic = format{messagesAnswer(), messagesChunks(), eventStream}
	bedrock   = format{converseAnswer(), converseChunks(), "application/vnd.amazon.eventstream"}
	wanted    = []byte(`"stream":true`)
)

// text is what a whole answer says, about 270 bytes.
func text() string { return strings.Repeat("The sluice gate opens and the water flows. ", 6) }

// canned is an answer of about 600 bytes.
func canned() []byte {
	return fmt.Appendf(nil, `{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"gpt-4o-mini",`+
		`"choices":[{"index":0,"message":{"role":"assistant","content":%q,"refusal":null},"logprobs":null,"finish_reason":"stop"}],`+
		`"usage":{"prompt_tokens":300,"completion_tokens":50,"total_tokens":350},"system_fingerprint":"fp_bench"}`, text())
}

func cannedChunks() [][]byte {
	const head = `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,` +
		`"model":"gpt-4o-mini","choices":[`
	out := make([][]byte, 0, Chunks+1)
	for i := range Chunks {
		out = append(out, fmt.Appendf(nil, head+`{"index":0,"delta":{"content":" word%d"},"logprobs":null,`+
			`"finish_reason":null}],"usage":null}`+"\n\n", i))
	}
	last := head + `{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}` + "\n\n" +
		head + `],"usage":{"prompt_tokens":300,"completion_tokens":20,"total_tokens":320}}` + "\n\ndata: [DONE]\n\n"
	return append(out, []byte(last))
}

// ServeHTTP answers any path, streamed when the path or the body asks for it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client left
	}
	f := &openAI
	stream := bytes.Contains(body, wanted)
	switch {
	case strings.HasSuffix(r.URL.Path, "/messages"):
		f = &anthropic
	case strings.HasSuffix(r.URL.Path, "/converse"):
		f = &bedrock
	case strings.HasSuffix(r.URL.Path, "/converse-stream"):
		f, stream = &bedrock, true
	}
	if !stream {
		w.Header().Set("Content-Type", "application/json")
		w.Write(f.answer)
		return
	}
	w.Header().Set("Content-Type", f.streamType)
	control := http.NewResponseController(w)
	for i, c := range f.chunks {
		if i > 0 && h.Gap > 0 {
			time.Sleep(h.Gap)
		}
		if _, err := w.Write(c); err != nil || control.Flush() != nil {
			return
		}
	}
}
