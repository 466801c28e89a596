package anthropic

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// accepts tells whether a value of a field may be in a call: because it is
// carried (then later steps look at it), or because it asks for nothing.
type accepts func(gjson.Result) bool

// openAIChatFields are the members of OpenAI's chat call and those values
// that an Anthropic model can answer. A member that is not here is refused.
var openAIChatFields = map[string]accepts{
	"model":                 anything,
	"messages":              anything,
	"max_tokens":            anything,
	"max_completion_tokens": anything,
	"temperature":           anything,
	"top_p":                 anything,
	"stop":                  anything,
	"stream":                anything,
	"stream_options":        anything, // about the stream to the client, which is made here
	"tools":                 anything,
	"tool_choice":           anything,
	"parallel_tool_calls":   anything,
	"response_format":       anything,
	"reasoning_effort":      anything,
	"service_tier":          anything,
	"user":                  anything,
	"safety_identifier":     anything,

	// Anthropic's own.
	"thinking": anything,
	"top_k":    anything,

	// What OpenAI keeps or caches for itself. It changes no answer.
	"store":                  anything,
	"metadata":               anything,
	"prompt_cache_key":       anything,
	"prompt_cache_retention": anything,
	"prompt_cache_options":   anything,

	// What Anthropic models can't do, at the value that asks for nothing.
	"n":                 equals(1),
	"logprobs":          isFalse,
	"top_logprobs":      equals(0),
	"logit_bias":        empty,
	"frequency_penalty": equals(0),
	"presence_penalty":  equals(0),
	"modalities":        textOnly,
	"verbosity":         func(v gjson.Result) bool { return v.Str == "medium" },
}

// openAICompletionFields is the same for OpenAI's completions call.
var openAICompletionFields = map[string]accepts{
	"model":             anything,
	"prompt":            anything,
	"max_tokens":        anything,
	"temperature":       anything,
	"top_p":             anything,
	"stop":              anything,
	"stream":            anything,
	"stream_options":    anything,
	"user":              anything,
	"n":                 equals(1),
	"best_of":           equals(1),
	"echo":              isFalse,
	"suffix":            func(v gjson.Result) bool { return v.Type == gjson.String && v.Str == "" },
	"logit_bias":        empty,
	"frequency_penalty": equals(0),
	"presence_penalty":  equals(0),
}

func anything(gjson.Result) bool  { return true }
func isFalse(v gjson.Result) bool { return v.Type == gjson.False }
func empty(v gjson.Result) bool   { return v.IsObject() && len(v.Map()) == 0 }
func equals(n float64) accepts {
	return func(v gjson.Result) bool { return v.Type == gjson.Number && v.Num == n }
}
func textOnly(v gjson.Result) bool {
	list := v.Array()
	return len(list) == 1 && list[0].Str == "text"
}

// members are the top-level members of a call that are not null.
type members []member

type member struct {
	name  string
	value gjson.Result
}

// get returns a member's value, which does not exist if it is not there.
func (m members) get(name string) gjson.Result {
	for i := range m {
		if m[i].name == name {
			return m[i].value
		}
	}
	return gjson.Result{}
}

// readMembers reads a call's top-level members and refuses those that fields
// does not accept.
func readMembers(req *dialect.Request, fields map[string]accepts) (members, *dialect.Error) {
	m := make(members, 0, 12)
	for _, at := range req.Members() {
		v := jsontext.View(req.Payload[at.Start:at.End])
		if v.Type == gjson.Null {
			continue
		}
		ok, known := fields[at.Key]
		if !known || !ok(v) {
			return nil, dialect.Unsupported(at.Key, "can't be passed to Anthropic models with this value. Leave it out, or use another endpoint.")
		}
		m = append(m, member{at.Key, v})
	}
	return m, nil
}

// payloadMembers reads the top-level members of a checked payload.
func payloadMembers(payload []byte) members {
	m := make(members, 0, 12)
	jsontext.View(payload).ForEach(func(k, v gjson.Result) bool {
		m = append(m, member{k.Str, v})
		return true
	})
	return m
}
