package openai

import (
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
)

// ReadUsage reads a usage object of chat or text completions, or of
// embeddings, which may lack parts, or be null or missing.
func ReadUsage(v gjson.Result) conversation.Usage {
	u := conversation.NoUsage
	if !v.IsObject() {
		return u
	}
	total := int64(-1)
	v.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "prompt_tokens":
			count(&u.Input, v)
		case "completion_tokens":
			count(&u.Output, v)
		case "total_tokens":
			count(&total, v)
		case "prompt_tokens_details":
			count(&u.CacheRead, v.Get("cached_tokens"))
			count(&u.CacheWrite, v.Get("cache_write_tokens"))
		case "completion_tokens_details":
			count(&u.Reasoning, v.Get("reasoning_tokens"))
		case "prompt_cache_hit_tokens": // DeepSeek's name
			if u.CacheRead < 0 {
				count(&u.CacheRead, v)
			}
		}
		return true
	})
	// xAI does not count reasoning as output; its total tells.
	if u.Reasoning > 0 && u.Input >= 0 && u.Output >= 0 && total == u.Input+u.Output+u.Reasoning {
		u.Output += u.Reasoning
	}
	return u
}

// maxCount bounds a count of tokens: sums of a few can't overflow.
const maxCount = 1 << 53

func count(n *int64, v gjson.Result) {
	if v.Type == gjson.Number && v.Num >= 0 && v.Num <= maxCount {
		*n = int64(v.Num)
	}
}

// appendUsage adds OpenAI's usage object, or null. Its three counts are
// required there, so what was not reported beside others is 0.
func appendUsage(b []byte, u conversation.Usage) []byte {
	if u == conversation.NoUsage {
		return append(b, "null"...)
	}
	in, out := max(u.Input, 0), max(u.Output, 0)
	b = appendCount(append(b, `{"prompt_tokens":`...), in)
	b = appendCount(append(b, `,"completion_tokens":`...), out)
	b = appendCount(append(b, `,"total_tokens":`...), in+out)
	if u.CacheRead >= 0 || u.CacheWrite >= 0 {
		b = appendCount(append(b, `,"prompt_tokens_details":{"cached_tokens":`...), max(u.CacheRead, 0))
		if u.CacheWrite >= 0 {
			b = appendCount(append(b, `,"cache_write_tokens":`...), u.CacheWrite)
		}
		b = append(b, '}')
	}
	if u.Reasoning >= 0 {
		b = appendCount(append(b, `,"completion_tokens_details":{"reasoning_tokens":`...), u.Reasoning)
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendCount(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }
