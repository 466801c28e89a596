package plain

import (
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect/jsontext"
)

// Reading replies of OpenAI's kind for MLflow's dialect, where MLflow has rules
// for a provider that are not those for OpenAI.

// ReadHead is the head of a reply or chunk of OpenAI's kind, as it is told.
func ReadHead(reply gjson.Result) Head {
	return Head{
		ID: StringOr(reply.Get("id"), ""), Object: StringOr(reply.Get("object"), ""),
		Created: NumberOr(reply.Get("created"), ""), Model: StringOr(reply.Get("model"), ""),
	}
}

// ReadChoices reads each choice of a reply by one. false: it has no list of
// them.
func ReadChoices(reply gjson.Result, one func(choice gjson.Result) Choice) ([]Choice, bool) {
	list := reply.Get("choices")
	if !list.IsArray() {
		return nil, false
	}
	var choices []Choice
	list.ForEach(func(_, choice gjson.Result) bool {
		choices = append(choices, one(choice))
		return true
	})
	return choices, true
}

// ReadVectors reads the embeddings of a reply. false: it has no list of them.
func ReadVectors(reply gjson.Result) ([]Vector, bool) {
	list := reply.Get("data")
	if !list.IsArray() {
		return nil, false
	}
	var vectors []Vector
	list.ForEach(func(_, v gjson.Result) bool {
		raw := v.Get("embedding")
		if raw.Type != gjson.String && !numbers(raw) {
			vectors, list = nil, gjson.Result{}
			return false
		}
		vectors = append(vectors, Vector{Raw: raw.Raw, Index: NumberOr(v.Get("index"), "")})
		return true
	})
	return vectors, list.IsArray()
}

// Calls is a list of tool calls in MLflow's shape, "" where there is none.
// delta: they are pieces, with an index.
func Calls(list gjson.Result, delta bool) string {
	if !list.IsArray() || len(list.Array()) == 0 && !delta {
		return ""
	}
	b, place := []byte{'['}, 0
	list.ForEach(func(_, call gjson.Result) bool {
		kind := `"function"`
		b = append(jsontext.Comma(b), '{')
		if delta {
			kind = "null"
			b = append(append(append(b, `"index":`...), NumberOr(call.Get("index"), strconv.Itoa(place))...), ',')
		}
		b = append(append(b, `"id":`...), StringOr(call.Get("id"), "null")...)
		b = append(append(b, `,"type":`...), StringOr(call.Get("type"), kind)...)
		b = append(append(b, `,"function":{"name":`...), StringOr(call.Get("function.name"), "null")...)
		b = append(append(b, `,"arguments":`...), arguments(call.Get("function.arguments"))...)
		b = append(b, "}}"...)
		place++
		return true
	})
	return string(append(b, ']'))
}

// arguments are those of a tool call as a string: some servers send the object
// itself.
func arguments(v gjson.Result) string {
	if v.IsObject() {
		return string(jsontext.AppendString(nil, v.Raw))
	}
	return StringOr(v, "null")
}

// AllCounts are the counts in a usage object with all else that is told there;
// nil where there is none.
func AllCounts(usage gjson.Result) *Counts {
	if !usage.IsObject() {
		return nil
	}
	n := ReadCounts(usage)
	var others []byte
	usage.ForEach(func(name, v gjson.Result) bool {
		switch name.Str {
		case "prompt_tokens", "completion_tokens", "total_tokens":
		case "prompt_tokens_details":
			if v.IsObject() && len(v.Map()) > 0 {
				others = append(append(others, `,"prompt_tokens_details":`...), jsontext.Compact(v.Raw)...)
			}
		default:
			others = append(append(append(others, ','), name.Raw...), ':')
			others = jsontext.AppendCompact(others, []byte(v.Raw))
		}
		return true
	})
	n.Others = string(others)
	return &n
}
