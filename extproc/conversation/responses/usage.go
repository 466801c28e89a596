package responses

import (
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
)

// ReadUsage reads the usage object of a response, which may be null or missing.
func ReadUsage(v gjson.Result) conversation.Usage {
	number := func(path string) int64 {
		if n := v.Get(path); n.Type == gjson.Number && n.Num >= 0 && n.Num <= 1<<53 {
			return int64(n.Num)
		}
		return -1
	}
	return conversation.Usage{
		Input: number("input_tokens"), Output: number("output_tokens"),
		CacheRead:  number("input_tokens_details.cached_tokens"),
		CacheWrite: number("input_tokens_details.cache_write_tokens"),
		Reasoning:  number("output_tokens_details.reasoning_tokens"),
	}
}

// appendUsage adds a usage object, or null. All counts are required there, so
// what was not reported beside others is 0.
func appendUsage(b []byte, u conversation.Usage) []byte {
	if u == conversation.NoUsage {
		return append(b, "null"...)
	}
	for _, part := range []struct {
		text string
		n    int64
	}{
		{`{"input_tokens":`, u.Input},
		{`,"input_tokens_details":{"cached_tokens":`, u.CacheRead},
		{`,"cache_write_tokens":`, u.CacheWrite},
		{`},"output_tokens":`, u.Output},
		{`,"output_tokens_details":{"reasoning_tokens":`, u.Reasoning},
		{`},"total_tokens":`, max(u.Input, 0) + max(u.Output, 0)},
	} {
		b = strconv.AppendInt(append(b, part.text...), max(part.n, 0), 10)
	}
	return append(b, '}')
}
