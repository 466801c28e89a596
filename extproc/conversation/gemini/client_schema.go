package gemini

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// maxSchemaDepth bounds appendJSONSchema.
const maxSchemaDepth = 200

// appendJSONSchema writes a Schema of Gemini's (OpenAPI 3.0's subset: types in
// capitals, "nullable", lengths in strings) as JSON Schema. What is JSON Schema
// already stays as it is. false: it is no schema.
func appendJSONSchema(b []byte, v gjson.Result, depth int) ([]byte, bool) {
	if v.IsBool() { // additionalProperties
		return append(b, v.Raw...), true
	}
	if !v.IsObject() || depth > maxSchemaDepth {
		return b, false
	}
	nullable := v.Get("nullable").Type == gjson.True
	ok := true
	b = append(b, '{')
	v.ForEach(func(k, v gjson.Result) bool {
		b, ok = appendKeyword(b, camel(k.Str), v, nullable, depth)
		return ok
	})
	return append(b, '}'), ok
}

func appendKeyword(b []byte, key string, v gjson.Result, nullable bool, depth int) (out []byte, ok bool) {
	switch key {
	case "nullable", "propertyOrdering":
		return b, true
	case "type":
		return appendType(b, v, nullable), true
	case "enum":
		if nullable && v.IsArray() && len(v.Raw) > 2 {
			return append(append(name(b, key), strings.TrimSuffix(v.Raw, "]")...), ",null]"...), true
		}
	case "example":
		return append(append(append(name(b, "examples"), '['), v.Raw...), ']'), true
	case "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties":
		if v.Type == gjson.String {
			n, ok := whole(v)
			if !ok {
				return b, false
			}
			return strconv.AppendInt(name(b, key), n, 10), true
		}
	case "ref":
		return append(name(b, "$ref"), v.Raw...), true
	case "items", "additionalProperties":
		if v.IsArray() {
			return appendSchemas(name(b, key), v, depth)
		}
		return appendJSONSchema(name(b, key), v, depth+1)
	case "anyOf", "oneOf", "allOf", "prefixItems":
		return appendSchemas(name(b, key), v, depth)
	case "properties", "$defs", "defs":
		if key == "defs" {
			key = "$defs"
		}
		return appendNamed(name(b, key), v, depth)
	}
	return append(name(b, key), v.Raw...), true
}

// name adds a member's name, which is a client's.
func name(b []byte, key string) []byte {
	return append(dialect.AppendString(jsontext.Comma(b), key), ':')
}

func appendType(b []byte, v gjson.Result, nullable bool) []byte {
	kind := strings.ToLower(v.Str)
	switch {
	case v.Type != gjson.String:
		return append(name(b, "type"), v.Raw...)
	case kind == "type_unspecified":
		return b
	case nullable && kind != "null":
		b = dialect.AppendString(append(name(b, "type"), '['), kind)
		return append(b, `,"null"]`...)
	}
	return dialect.AppendString(name(b, "type"), kind)
}

// appendSchemas writes a list of schemas.
func appendSchemas(b []byte, list gjson.Result, depth int) ([]byte, bool) {
	ok := list.IsArray()
	b = append(b, '[')
	list.ForEach(func(_, v gjson.Result) bool {
		b, ok = appendJSONSchema(jsontext.Comma(b), v, depth+1)
		return ok
	})
	return append(b, ']'), ok
}

// appendNamed writes an object of schemas. Their names are the client's.
func appendNamed(b []byte, object gjson.Result, depth int) ([]byte, bool) {
	ok := object.IsObject()
	b = append(b, '{')
	object.ForEach(func(k, v gjson.Result) bool {
		b = append(append(jsontext.Comma(b), k.Raw...), ':')
		b, ok = appendJSONSchema(b, v, depth+1)
		return ok
	})
	return append(b, '}'), ok
}
