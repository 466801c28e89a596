package anthropic

import (
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
)

// Usage counts tokens as the Messages API reports them: Input does not hold
// the cached ones. A negative number was not reported.
type Usage struct {
	Input, Output, CacheRead, CacheWrite, Thinking int64
}

// NoUsage is the Usage of which nothing was reported.
var NoUsage = Usage{-1, -1, -1, -1, -1}

// Update takes over what a usage object reports. In a stream later reports
// are totals, not additions.
func (u *Usage) Update(v gjson.Result) {
	v.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "input_tokens":
			count(&u.Input, v)
		case "output_tokens":
			count(&u.Output, v)
		case "cache_read_input_tokens":
			count(&u.CacheRead, v)
		case "cache_creation_input_tokens":
			count(&u.CacheWrite, v)
		case "output_tokens_details":
			count(&u.Thinking, v.Get("thinking_tokens"))
		}
		return true
	})
}

func count(n *int64, v gjson.Result) {
	if v.Type == gjson.Number && v.Num >= 0 {
		*n = v.Int()
	}
}

// Prompt is all input, cached or not; -1 if input was not reported.
func (u Usage) Prompt() int64 {
	if u.Input < 0 {
		return -1
	}
	return u.Input + max(u.CacheRead, 0) + max(u.CacheWrite, 0)
}

// Counts is the usage as records and metrics take it.
func (u Usage) Counts() dialect.Usage { return u.form().Counts() }

// form is the usage of the conversation form.
func (u Usage) form() conversation.Usage {
	return conversation.Usage{
		Input: u.Prompt(), Output: u.Output, CacheRead: u.CacheRead, CacheWrite: u.CacheWrite, Reasoning: u.Thinking,
	}
}

// appendUsage adds the usage object of a reply. Input and output are required
// there: what was not reported is 0.
func appendUsage(b []byte, u conversation.Usage) []byte {
	input := max(u.Input, 0) - max(u.CacheRead, 0) - max(u.CacheWrite, 0)
	b = strconv.AppendInt(append(b, `{"input_tokens":`...), max(input, 0), 10)
	if u.CacheWrite >= 0 {
		b = strconv.AppendInt(append(b, `,"cache_creation_input_tokens":`...), u.CacheWrite, 10)
	}
	if u.CacheRead >= 0 {
		b = strconv.AppendInt(append(b, `,"cache_read_input_tokens":`...), u.CacheRead, 10)
	}
	b = strconv.AppendInt(append(b, `,"output_tokens":`...), max(u.Output, 0), 10)
	if u.Reasoning >= 0 {
		b = strconv.AppendInt(append(b, `,"output_tokens_details":{"thinking_tokens":`...), u.Reasoning, 10)
		b = append(b, '}')
	}
	return append(b, '}')
}
