package provider

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/eventstream"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/kit"
)

// nativeUsage reads how many tokens a reply took that passes as it came,
// whatever its format. What it can't read it leaves uncounted.
type nativeUsage struct {
	told   dialect.Usage
	events sse.Reader
	frames eventstream.Reader
}

// invokeCounts are the headers in which Bedrock tells what InvokeModel took:
// most of its models' own bodies don't say.
var invokeCounts = [...]string{"x-amzn-bedrock-input-token-count", "x-amzn-bedrock-output-token-count"}

func (u *nativeUsage) whole(header func(string) string, body []byte) {
	u.read(body)
	for i, to := range []*int64{&u.told.Input, &u.told.Output} {
		if n, err := strconv.ParseInt(header(invokeCounts[i]), 10, 64); err == nil && n >= 0 && *to < 0 {
			*to = n
		}
	}
}

// stream takes the next bytes of a stream. A broken one is the client's to
// find: it gets the bytes in any case.
func (u *nativeUsage) stream(contentType string, b []byte, end bool) {
	switch {
	case eventstream.IsStream(contentType):
		_ = u.frames.Feed(b, func(m eventstream.Message) error {
			u.frame(m.Payload)
			return nil
		})
	case strings.HasPrefix(strings.ToLower(contentType), kit.EventStream):
		event := func(e sse.Event) error {
			u.event(e.Data)
			return nil
		}
		_ = u.events.Feed(b, event)
		if end {
			_ = u.events.End(event)
		}
	}
}

func (u *nativeUsage) event(data []byte) {
	if bytes.Contains(data, []byte(`"usage`)) || bytes.Contains(data, []byte(`"amazon-bedrock-invocationMetrics"`)) {
		u.read(data)
	}
}

// frame reads a frame of Bedrock's: ConverseStream's are JSON, those of
// InvokeModel hold the model's own piece in base64.
func (u *nativeUsage) frame(payload []byte) {
	if !jsontext.Valid(payload) {
		return
	}
	if piece := jsontext.View(payload).Get("bytes"); piece.Type == gjson.String {
		if payload, err := base64.StdEncoding.DecodeString(piece.Str); err == nil {
			u.event(payload)
		}
		return
	}
	u.event(payload)
}

// usageAt is where the formats tell usage.
var usageAt = []string{
	"usage", "usageMetadata", "message.usage", "response.usage", "usage.tokens", "delta.usage.tokens", "meta.tokens", "amazon-bedrock-invocationMetrics",
}

// usageNames are where the formats have their counts, in the order of
// dialect.Usage.
var usageNames = [...][]string{
	{"prompt_tokens", "input_tokens", "promptTokenCount", "inputTokens", "inputTokenCount", "input_tokens_count"},
	{"completion_tokens", "output_tokens", "candidatesTokenCount", "outputTokens", "outputTokenCount"},
	{"prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens", "cache_read_input_tokens", "cachedContentTokenCount", "cacheReadInputTokens", "cacheReadInputTokenCount"},
	{"completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens", "thoughtsTokenCount"},
	{"cache_creation_input_tokens", "cacheWriteInputTokens", "cacheWriteInputTokenCount"},
}

// apart are counts that their formats do not include in the input
// (Anthropic's, Bedrock's) or in the output (Google's), as dialect.Usage does.
var apart = [...][]string{
	{
		"cache_read_input_tokens", "cache_creation_input_tokens",
		"cacheReadInputTokens", "cacheWriteInputTokens", "cacheReadInputTokenCount", "cacheWriteInputTokenCount",
	},
	{"thoughtsTokenCount"},
}

// read takes in what a piece of JSON tells. A later one counts more than an
// earlier one.
func (u *nativeUsage) read(body []byte) {
	if !jsontext.Valid(body) {
		return
	}
	root := jsontext.View(body)
	for _, at := range usageAt {
		if v := root.Get(at); v.IsObject() && u.take(v) {
			return
		}
	}
}

// take is false for an object without counts.
func (u *nativeUsage) take(v gjson.Result) (taken bool) {
	counts := [...]*int64{&u.told.Input, &u.told.Output, &u.told.Cached, &u.told.Reasoning, &u.told.CacheWrite}
	for i, to := range counts {
		for _, name := range usageNames[i] {
			n := v.Get(name)
			if n.Type != gjson.Number {
				continue
			}
			*to, taken = n.Int(), true
			if i < len(apart) {
				for _, more := range apart[i] {
					*to += v.Get(more).Int()
				}
			}
			break
		}
	}
	return taken
}
