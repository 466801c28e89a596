package simulate

import (
	"encoding/json"
)

// sampleOf makes a value that fits a JSON schema: for each property its first
// enum value, or word for a string, 1 for a number, true for a boolean. Bounded
// in depth, so that a schema can't make it large.
func sampleOf(schema json.RawMessage, word string) json.RawMessage {
	var parsed map[string]any
	if json.Unmarshal(schema, &parsed) != nil {
		return json.RawMessage("{}")
	}
	if len(parsed) == 0 {
		parsed = map[string]any{"properties": map[string]any{"answer": map[string]any{"type": "string"}}}
	}
	if parsed["type"] == nil {
		parsed["type"] = "object"
	}
	out, err := json.Marshal(sampleValue(parsed, word, 8))
	if err != nil {
		return json.RawMessage("{}")
	}
	return out
}

func sampleValue(schema map[string]any, word string, depth int) any {
	if values, ok := schema["enum"].([]any); ok && len(values) > 0 {
		return values[0]
	}
	switch schema["type"] {
	case "string":
		return word
	case "integer", "number":
		return 1
	case "boolean":
		return true
	case "array":
		return sampleArray(schema, word, depth)
	case "object":
		return sampleObject(schema, word, depth)
	}
	return nil
}

func sampleArray(schema map[string]any, word string, depth int) []any {
	items, ok := schema["items"].(map[string]any)
	if !ok || depth == 0 {
		return []any{}
	}
	return []any{sampleValue(items, word, depth-1)}
}

func sampleObject(schema map[string]any, word string, depth int) map[string]any {
	out := map[string]any{}
	properties, ok := schema["properties"].(map[string]any)
	if !ok || depth == 0 {
		return out
	}
	for name, value := range properties {
		if inner, ok := value.(map[string]any); ok {
			out[name] = sampleValue(inner, word, depth-1)
		}
	}
	return out
}
