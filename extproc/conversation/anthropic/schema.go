package anthropic

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/dialect/jsontext"
)

// maxSchemaDepth bounds closeObjects, whose cost grows with depth.
const maxSchemaDepth = 200

// CloseObjects copies a JSON schema with "additionalProperties": false on the
// objects in it that name their properties, which Anthropic demands: a model
// that is held to a schema answers with no others anyhow. What a schema says
// about it stays, unless all must be closed; then it fails for an object that
// names no properties, which would mean something else.
func CloseObjects(b []byte, v gjson.Result, all bool) (out []byte, ok bool) {
	return closeObjects(b, v, all, 0)
}

func closeObjects(b []byte, v gjson.Result, all bool, depth int) (out []byte, ok bool) {
	if depth > maxSchemaDepth {
		return b, false
	}
	object := v.Get("type").Str == "object"
	if object && all && !v.Get("properties").Exists() {
		return b, false
	}
	object = object && (all || v.Get("properties").Exists() && !v.Get("additionalProperties").Exists())
	b, ok = append(b, '{'), true
	v.ForEach(func(k, v gjson.Result) bool {
		if object && k.Str == "additionalProperties" {
			return true
		}
		b = append(append(jsontext.Comma(b), k.Raw...), ':')
		switch {
		case v.IsObject():
			b, ok = closeObjects(b, v, all, depth+1)
		case v.IsArray():
			b, ok = closeInList(b, v, all, depth+1)
		default:
			b = append(b, v.Raw...)
		}
		return ok
	})
	if object {
		b = append(jsontext.Comma(b), `"additionalProperties":false`...)
	}
	return append(b, '}'), ok
}

// closeInList looks at the objects directly in a list, as MLflow does.
func closeInList(b []byte, list gjson.Result, all bool, depth int) (out []byte, ok bool) {
	b, ok = append(b, '['), true
	list.ForEach(func(_, v gjson.Result) bool {
		b = jsontext.Comma(b)
		if v.IsObject() {
			b, ok = closeObjects(b, v, all, depth)
		} else {
			b = append(b, v.Raw...)
		}
		return ok
	})
	return append(b, ']'), ok
}
