package bedrock

import (
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/plain"
)

// mlflowFinish maps Bedrock's stopReason as MLflow does.
func mlflowFinish(reason string) string {
	switch reason {
	case "tool_use":
		return `"tool_calls"`
	case "max_tokens":
		return `"length"`
	case "content_filtered":
		return `"content_filter"`
	}
	return `"stop"`
}

// mlflowChoice reads a reply of Converse as MLflow's
// _converse_to_chat_response does: texts become lines, other blocks than tool
// calls are left out.
func mlflowChoice(reply gjson.Result) plain.Choice {
	var text, calls []byte
	reply.Get("output.message.content").ForEach(func(_, v gjson.Result) bool {
		if t := v.Get("text"); t.Type == gjson.String {
			if text == nil {
				text = append(text, '"')
			} else {
				text = append(text, `\n`...)
			}
			text = append(text, t.Raw[1:len(t.Raw)-1]...)
		} else if call := v.Get("toolUse"); call.IsObject() {
			calls = appendMLflowCall(jsontext.Comma(calls), call)
		}
		return true
	})
	choice := plain.Choice{Finish: mlflowFinish(reply.Get("stopReason").Str)}
	if text != nil {
		choice.Text = string(append(text, '"'))
	}
	if calls != nil {
		choice.Calls = "[" + string(calls) + "]"
	}
	return choice
}

func appendMLflowCall(b []byte, call gjson.Result) []byte {
	b = append(append(b, `{"id":`...), jsontext.RawString(call.Get("toolUseId"))...)
	b = append(append(b, `,"type":"function","function":{"name":`...), jsontext.RawString(call.Get("name"))...)
	args := jsontext.AppendPython(nil, gjson.Parse(jsontext.Compact(call.Get("input").Raw)))
	return append(dialect.AppendString(append(b, `,"arguments":`...), string(args)), "}}"...)
}

func mlflowCounts(usage gjson.Result) plain.Counts {
	return plain.Counts{
		Prompt:     plain.NumberOr(usage.Get("inputTokens"), ""),
		Completion: plain.NumberOr(usage.Get("outputTokens"), ""),
		Total:      plain.NumberOr(usage.Get("totalTokens"), ""),
	}
}

// appendMLflowEvent adds the chunk of an event of ConverseStream, if it has
// one, as _parse_stream_event does: for the start of a tool call, for text,
// for arguments, for the stop, and for the usage.
func appendMLflowEvent(c *plain.Context, b []byte, kind string, v gjson.Result) []byte {
	var choice plain.Choice
	var counts *plain.Counts
	switch kind {
	case "contentBlockStart":
		call := v.Get("start.toolUse")
		if !call.IsObject() {
			return b
		}
		choice.Calls = callChunk(v, plain.StringOr(call.Get("toolUseId"), "null"), `"function"`, plain.StringOr(call.Get("name"), "null"), `""`)
	case "contentBlockDelta":
		text, call := v.Get("delta.text"), v.Get("delta.toolUse")
		switch {
		case text.Str != "":
			choice.Text = text.Raw
		case call.IsObject():
			choice.Calls = callChunk(v, "null", "null", "null", jsontext.RawString(call.Get("input")))
		default:
			return b
		}
	case "messageStop":
		choice.Finish = mlflowFinish(v.Get("stopReason").Str)
	case "metadata":
		usage := v.Get("usage")
		if !usage.IsObject() {
			return b
		}
		n := mlflowCounts(usage)
		counts = &n
	default:
		return b
	}
	return c.ChatChunk(b, plain.Head{}, []plain.Choice{choice}, counts)
}

func callChunk(v gjson.Result, id, kind, name, args string) string {
	return `[{"index":` + strconv.FormatInt(v.Get("contentBlockIndex").Int(), 10) + `,"id":` + id + `,"type":` + kind +
		`,"function":{"name":` + name + `,"arguments":` + args + "}}]"
}
