package anthropic

import (
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
)

// tokens counts tokens as Anthropic reports them: input does not hold
// the cached ones. A negative number was not reported.
type tokens struct {
	input, output, cacheRead, cacheWrite, thinking int64
}

var noTokens = tokens{-1, -1, -1, -1, -1}

// update takes over what a usage object reports. In a stream later reports
// are totals, not additions.
func (u *tokens) update(v gjson.Result) {
	v.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "input_tokens":
			count(&u.input, v)
		case "output_tokens":
			count(&u.output, v)
		case "cache_read_input_tokens":
			count(&u.cacheRead, v)
		case "cache_creation_input_tokens":
			count(&u.cacheWrite, v)
		case "output_tokens_details":
			count(&u.thinking, v.Get("thinking_tokens"))
		}
		return true
	})
}

func count(n *int64, v gjson.Result) {
	if v.Type == gjson.Number && v.Num >= 0 {
		*n = v.Int()
	}
}

// prompt is all input, cached or not; -1 if input was not reported.
func (u tokens) prompt() int64 {
	if u.input < 0 {
		return -1
	}
	return u.input + max(u.cacheRead, 0) + max(u.cacheWrite, 0)
}

func (u tokens) total() int64 {
	if u.input < 0 || u.output < 0 {
		return -1
	}
	return u.prompt() + u.output
}

func (u tokens) counts() dialect.Usage {
	return dialect.Usage{Input: u.prompt(), Output: u.output, Cached: u.cacheRead, CacheWrite: u.cacheWrite, Reasoning: u.thinking}
}

// appendOpenAI adds OpenAI's usage object. Its three counts are required
// there, so what was not reported is 0.
func (u tokens) appendOpenAI(b []byte) []byte {
	b = appendCount(append(b, `{"prompt_tokens":`...), max(u.prompt(), 0))
	b = appendCount(append(b, `,"completion_tokens":`...), max(u.output, 0))
	b = appendCount(append(b, `,"total_tokens":`...), max(u.prompt(), 0)+max(u.output, 0))
	if u.cacheRead >= 0 || u.cacheWrite >= 0 {
		b = appendCount(append(b, `,"prompt_tokens_details":{"cached_tokens":`...), max(u.cacheRead, 0))
		if u.cacheWrite >= 0 {
			b = appendCount(append(b, `,"cache_write_tokens":`...), u.cacheWrite)
		}
		b = append(b, '}')
	}
	if u.thinking >= 0 {
		b = appendCount(append(b, `,"completion_tokens_details":{"reasoning_tokens":`...), u.thinking)
		b = append(b, '}')
	}
	return append(b, '}')
}

// appendMLflow adds MLflow's usage object. extras, which may not exist, is
// Anthropic's own usage object, whose further members MLflow passes on.
func (u tokens) appendMLflow(b []byte, extras gjson.Result) []byte {
	b = appendCountOrNull(append(b, `{"prompt_tokens":`...), u.prompt())
	b = appendCountOrNull(append(b, `,"completion_tokens":`...), u.output)
	b = appendCountOrNull(append(b, `,"total_tokens":`...), u.total())
	if u.cacheRead >= 0 {
		b = appendCount(append(b, `,"prompt_tokens_details":{"cached_tokens":`...), u.cacheRead)
		b = append(b, '}')
	}
	extras.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens":
		default:
			b = append(append(append(b, ','), k.Raw...), ':')
			b = append(b, v.Raw...)
		}
		return true
	})
	if u.cacheWrite >= 0 {
		b = appendCount(append(b, `,"cache_creation_input_tokens":`...), u.cacheWrite)
	}
	return append(b, '}')
}

func appendCount(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

func appendCountOrNull(b []byte, n int64) []byte {
	if n < 0 {
		return append(b, "null"...)
	}
	return appendCount(b, n)
}
