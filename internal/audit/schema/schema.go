// Package schema says what records of the trail look like, as JSON Schema
// 2020-12. The schema follows from the Go types of internal/audit and the
// descriptions here, and is published as docs/audit.schema.json.
package schema

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"sluice/internal/audit"
)

// ID names the schema. It has the version of the JSON of records.
var ID = fmt.Sprintf("urn:sluice:audit-record:%d", audit.SchemaVersion)

type object = map[string]any

// JSON is the schema of a record. A strict one also refuses members that it does
// not have; the published one does not, since new members come without another
// version.
func JSON(strict bool) ([]byte, error) {
	g := generator{strict: strict, defs: object{}}
	root := g.structure(reflect.TypeFor[audit.Record]())
	properties := root["properties"].(object)
	properties["schemaVersion"] = object{"const": audit.SchemaVersion, "description": descriptions["Record.schemaVersion"]}
	properties["eventKind"] = object{"type": "string", "description": descriptions["Record.eventKind"]}
	root["required"] = append([]string{"schemaVersion", "eventKind"}, root["required"].([]string)...)
	root["oneOf"] = []any{object{"required": []string{"exchange"}}, object{"required": []string{"event"}}}
	root["$schema"], root["$id"], root["title"] = "https://json-schema.org/draft/2020-12/schema", ID, "A record of Sluice's audit trail"
	root["$defs"] = g.defs
	g.used["Record.schemaVersion"], g.used["Record.eventKind"] = true, true
	if len(g.missing) > 0 {
		return nil, fmt.Errorf("fields without a description in internal/audit/schema/descriptions.go: %s", strings.Join(g.missing, ", "))
	}
	for name := range descriptions {
		if !g.used[name] {
			return nil, fmt.Errorf("descriptions.go describes %s, which no record has", name)
		}
	}
	out, err := json.MarshalIndent(root, "", "  ")
	return append(out, '\n'), err
}

type generator struct {
	strict  bool
	defs    object
	missing []string
	used    map[string]bool
}

// structure is the schema of a struct as encoding/json writes it.
func (g *generator) structure(t reflect.Type) object {
	properties, required := object{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		at := t.Name() + "." + name
		property := g.value(f.Type)
		g.describe(property, at)
		if words := enums[at]; words != nil {
			property["enum"] = words
		}
		properties[name] = property
		if !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
			required = append(required, name)
		}
	}
	out := object{"type": "object", "properties": properties, "required": required}
	if g.strict {
		out["additionalProperties"] = false
	}
	return out
}

func (g *generator) describe(property object, at string) {
	if g.used == nil {
		g.used = map[string]bool{}
	}
	g.used[at] = true
	text := descriptions[at]
	if text == "" {
		g.missing = append(g.missing, at)
	}
	property["description"] = text
}

// value is the schema of a field's type.
func (g *generator) value(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[audit.Body]():
		return object{"oneOf": []any{
			object{"type": "string"},
			object{
				"type": "object", "required": []string{"base64"}, "additionalProperties": false,
				"properties": object{"base64": object{"type": "string", "contentEncoding": "base64"}},
			},
		}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.value(t.Elem())
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	case reflect.Slice:
		return object{"type": "array", "items": g.value(t.Elem())}
	case reflect.Map:
		if t.Elem().Kind() == reflect.String {
			return object{"type": "object", "additionalProperties": object{"type": "string"}}
		}
		return object{"type": "object"}
	case reflect.Struct:
		if _, done := g.defs[t.Name()]; !done {
			g.defs[t.Name()] = object{}
			g.defs[t.Name()] = g.structure(t)
		}
		return object{"$ref": "#/$defs/" + t.Name()}
	}
	panic("records have no " + t.String())
}

// enums are the words that a member may have. Those of kinds of events are in
// docs/audit.md: new ones come without another version.
var enums = map[string][]string{
	"Outcome.result": {
		audit.ResultAnswered, audit.ResultProviderError, audit.ResultGatewayError, audit.ResultClientGone, audit.ResultInterrupted, audit.ResultDenied,
		audit.ResultUnauthenticated, audit.ResultRefused,
	},
	"Exchange.bodies":  {audit.BodiesFull, audit.BodiesRedacted, audit.BodiesNone},
	"Outcome.bodyForm": {audit.FormMessage, audit.FormEvents, audit.FormDropped},
	"Part.kind":        {audit.PartProviderRequest, audit.PartProviderResponse, audit.PartStreamEvents},
}

// Fields are the members of records, as "Type.member", sorted.
func Fields() []string {
	names := make([]string, 0, len(descriptions))
	for name := range descriptions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
