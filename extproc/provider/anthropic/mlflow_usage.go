package anthropic

import (
	"strconv"

	"github.com/tidwall/gjson"

	format "sluice/extproc/conversation/anthropic"
)

// total is all tokens; -1 if input or output was not reported.
func total(u format.Usage) int64 {
	if u.Input < 0 || u.Output < 0 {
		return -1
	}
	return u.Prompt() + u.Output
}

// appendMLflowUsage adds MLflow's usage object. extras, which may not exist, is
// Anthropic's own usage object, whose further members MLflow passes on.
func appendMLflowUsage(b []byte, u format.Usage, extras gjson.Result) []byte {
	b = appendCountOrNull(append(b, `{"prompt_tokens":`...), u.Prompt())
	b = appendCountOrNull(append(b, `,"completion_tokens":`...), u.Output)
	b = appendCountOrNull(append(b, `,"total_tokens":`...), total(u))
	if u.CacheRead >= 0 {
		b = appendCount(append(b, `,"prompt_tokens_details":{"cached_tokens":`...), u.CacheRead)
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
	if u.CacheWrite >= 0 {
		b = appendCount(append(b, `,"cache_creation_input_tokens":`...), u.CacheWrite)
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
