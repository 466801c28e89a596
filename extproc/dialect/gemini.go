package dialect

import (
	"bytes"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect/jsontext"
)

// parseGemini checks a call of Gemini's API (ai.google.dev/api). Google reads
// the keys of its JSON in camel case and in snake case, so both are looked for,
// and both at once refused: the policy and the model must see the same.
func parseGemini(route Route, op Operation, body []byte, members Members) (*Request, *Error) {
	if !route.Operation.Fits(op) {
		return nil, wrongType(route.Endpoint, route.Operation)
	}
	counting := route.Operation == CountTokens
	if e := check([]rule{
		{"contents", "a list with at least one content", isFullList, counting, false},
		{"tools", "a list of objects", isObjects, true, true},
	}, body, members); e != nil {
		return nil, e
	}
	r := &Request{
		Route: route, Body: body, Payload: body, members: members,
		Stream: route.Stream, IncludeUsage: true,
		Tools: geminiTools(members.Value(body, "tools")),
	}
	config, e := either(body, members, "generationConfig", "generation_config")
	if e != nil || len(config) == 0 || config[0] != '{' {
		return r, e
	}
	inner, fault := jsontext.Scan(config)
	if fault != nil {
		return nil, unreadable("The field 'generationConfig' is not acceptable JSON.")
	}
	if key, twice := repeated(inner); twice {
		return nil, refuseKey(key, "The field 'generationConfig' has the key '"+clip(key)+"' twice. Send it once.")
	}
	most, e := either(config, inner, "maxOutputTokens", "max_output_tokens")
	if e != nil {
		return nil, e
	}
	if most = bytes.Trim(most, `"`); len(most) > 0 && string(most) != "null" {
		if !isCount(most) {
			return nil, wrong("generationConfig.maxOutputTokens", "The field 'maxOutputTokens' must be a whole number that is not negative.")
		}
		r.MaxTokens = gjson.ParseBytes(most).Int()
	}
	return r, nil
}

// either is the value of the one of two spellings of a key that is there.
func either(body []byte, members Members, camel, snake string) ([]byte, *Error) {
	a, b := members.Value(body, camel), members.Value(body, snake)
	switch {
	case a != nil && b != nil:
		return nil, refuseKey(snake, "The body has '"+camel+"' and '"+snake+"', which mean the same. Send one of them.")
	case a != nil:
		return a, nil
	}
	return b, nil
}

// geminiTools are the names of the functions that a request declares; a tool
// of another kind has its kind's name.
func geminiTools(list []byte) []string {
	var names []string
	jsontext.View(list).ForEach(func(_, tool gjson.Result) bool {
		tool.ForEach(func(kind, v gjson.Result) bool {
			if kind.Str != "functionDeclarations" && kind.Str != "function_declarations" {
				names = append(names, kind.Str)
				return true
			}
			v.ForEach(func(_, f gjson.Result) bool {
				names = append(names, f.Get("name").String())
				return true
			})
			return true
		})
		return true
	})
	return names
}
