package openai

import (
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/kit"
)

const withUsage = `{"include_usage":true}`

// elsewhere are members by which gateways that have OpenAI's API (OpenRouter,
// LiteLLM's proxy) turn to another model, or to another server, than "model"
// says. OpenAI itself knows none of them.
var elsewhere = []string{"models", "fallbacks", "preset", "model_list", "user_config", "api_base", "base_url"}

// bodyOf is the body for a provider of OpenAI's API. The payload is edited
// in place: what the gateway does not have to change stays as it is, byte for
// byte.
func bodyOf(model string, req *dialect.Request, place Place) ([]byte, *dialect.Error) {
	members := req.Members()
	if len(members) == 0 {
		return nil, dialect.Internal()
	}
	for _, name := range elsewhere {
		if _, ok := members.Find(name); ok {
			return nil, dialect.Unsupported(name, "would let the call be answered by another model than the endpoint's.")
		}
	}
	named, hasModel := members.Find("model")
	var edits []jsontext.Edit
	switch {
	case req.Dialect == dialect.MLflow && hasModel:
		return nil, dialect.ModelNotPermitted()
	case hasModel:
		edits = append(edits, jsontext.Edit{Start: named.Start, End: named.End, Text: kit.Quoted(model)})
	case !place.Unnamed:
		start := members[0].KeyStart
		edits = append(edits, jsontext.Edit{Start: start, End: start, Text: `"model":` + kit.Quoted(model) + ","})
	}
	if req.Stream && !place.Traits.NoStreamOptions {
		edit := members.With("stream_options", streamOptions(members.Value(req.Payload, "stream_options")))
		if len(edits) > 0 && edits[0].Start > edit.Start {
			edits = append([]jsontext.Edit{edit}, edits...)
		} else {
			edits = append(edits, edit)
		}
	}
	return jsontext.Apply(req.Payload, edits...), nil
}

// streamOptions is the value of stream_options with include_usage set: usage
// is always asked for, since the gateway counts it, and hidden from clients
// that did not ask.
func streamOptions(given []byte) string {
	members, _ := jsontext.Scan(given)
	if len(members) == 0 {
		return withUsage
	}
	edits := []jsontext.Edit{}
	for _, m := range members {
		if m.Key == "include_usage" {
			edits = append(edits, jsontext.Edit{Start: m.Start, End: m.End, Text: "true"})
		}
	}
	if len(edits) == 0 {
		edits = append(edits, members.With("include_usage", "true"))
	}
	return string(jsontext.Apply(given, edits...))
}
