package admin

import (
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"strings"
	"time"
	"unicode"

	"sluice/internal/admin/api"
	"sluice/internal/audit"
)

// object is a part of a JSON document that is put together.
type object = map[string]any

// oneOf stands for a body that has one of several shapes.
type oneOf []any

// schemas makes JSON Schemas of Go types, each named one once.
type schemas struct {
	byName map[string]object
	types  map[string]reflect.Type
}

func newSchemas() *schemas {
	return &schemas{byName: map[string]object{}, types: map[string]reflect.Type{}}
}

// close refuses, in the schemas of bodies of requests, what is not named:
// decoding does too.
func (s *schemas) close(t reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		s.close(t.Elem())
	case reflect.Struct:
		if t == timeType {
			return
		}
		s.byName[schemaName(t)]["additionalProperties"] = false
		for i := range t.NumField() {
			s.close(t.Field(i).Type)
		}
	}
}

// of is the schema of a body: a value of a type, or oneOf.
func (s *schemas) of(value any) object {
	shapes, several := value.(oneOf)
	if !several {
		return s.ofType(reflect.TypeOf(value))
	}
	var any []object
	for _, v := range shapes {
		any = append(any, s.of(v))
	}
	return object{"anyOf": any}
}

var (
	numberType = reflect.TypeFor[json.Number]()
	bodyType   = reflect.TypeFor[audit.Body]()
	rawType    = reflect.TypeFor[json.RawMessage]()
)

func (s *schemas) ofType(t reflect.Type) object {
	switch t {
	case timeType:
		return object{"type": "string", "format": "date-time"}
	case numberType:
		return object{"type": "number"}
	case rawType:
		return object{}
	case bodyType:
		return object{
			"description": "A string where it is valid UTF-8, else an object with the bytes in base64.",
			"type":        []string{"string", "object"},
		}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.ofType(t.Elem())
	case reflect.Struct:
		return s.ofStruct(t)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return object{"type": "string", "contentEncoding": "base64"}
		}
		return object{"type": "array", "items": s.ofType(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.ofType(t.Elem())}
	case reflect.Interface:
		return object{}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return object{"type": "integer", "format": "int64"}
	}
	panic("admin: no schema for " + t.String())
}

// schemaName is that of a named type; types of packages that are no shapes of
// the API have the package's name in front.
func schemaName(t reflect.Type) string {
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	pkg := path.Base(t.PkgPath())
	if pkg == "api" || pkg == "admin" || strings.EqualFold(pkg, name) {
		return name
	}
	return strings.ToUpper(pkg[:1]) + pkg[1:] + name
}

func (s *schemas) ofStruct(t reflect.Type) object {
	if t.Name() == "" {
		return s.members(t)
	}
	name := schemaName(t)
	if other, known := s.types[name]; !known {
		s.types[name] = t
		s.byName[name] = object{} // it may hold itself
		s.byName[name] = s.members(t)
	} else if other != t {
		panic(fmt.Sprintf("admin: %s and %s have one name in the description", t, other))
	}
	return object{"$ref": "#/components/schemas/" + name}
}

// members is the schema of a struct: what has omitempty may be missing.
func (s *schemas) members(t reflect.Type) object {
	properties, required := object{}, []string{}
	s.fields(t, properties, &required)
	if t == reflect.TypeFor[audit.Record]() { // as its MarshalJSON has it
		properties["eventKind"] = object{"type": "string", "description": "What happened, e.g. AccessEndpoint."}
		properties["schemaVersion"] = object{"type": "integer", "format": "int64", "description": "The version of the schema of records."}
		required = append(required, "eventKind", "schemaVersion")
	}
	out := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	if text := docOf(t, ""); text != "" {
		out["description"] = text
	}
	return out
}

func (s *schemas) fields(t reflect.Type, properties object, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			s.fields(f.Type, properties, required)
			continue
		}
		if !f.IsExported() || name == "-" || name == "" {
			continue
		}
		optional := strings.Contains(options, "omit")
		properties[name] = s.field(t, f, optional)
		if !optional {
			*required = append(*required, name)
		}
	}
}

// field adds to the schema of a field's type what its tags and its comment say:
// `enum:"a,b"` lists the values that it can have, and `secret:"in"` is for what
// is sent and never shown.
func (s *schemas) field(t reflect.Type, f reflect.StructField, optional bool) object {
	schema := s.ofType(f.Type)
	twice := f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Pointer
	if f.Type.Kind() == reflect.Pointer && !optional || twice {
		schema = nullable(schema)
	}
	if values := f.Tag.Get("enum"); values != "" {
		target := schema
		if items, list := schema["items"].(object); list {
			target = items
		}
		target["enum"] = strings.Split(values, ",")
	}
	if f.Tag.Get("secret") == "in" {
		schema["writeOnly"] = true
	}
	if text := docOf(t, f.Name); text != "" {
		schema["description"] = text
	}
	return schema
}

func nullable(schema object) object {
	if kind, plain := schema["type"].(string); plain {
		schema["type"] = []string{kind, "null"}
		return schema
	}
	return object{"anyOf": []object{schema, {"type": "null"}}}
}

// docOf is the comment of a type, or of its field.
func docOf(t reflect.Type, field string) string {
	if !strings.HasSuffix(t.PkgPath(), "/admin/api") {
		return ""
	}
	name := t.Name()
	if field != "" {
		name += "." + field
	}
	text := api.Docs()[name]
	if text != "" && unicode.IsLower(rune(text[0])) {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if text != "" && !strings.ContainsRune(".:", rune(text[len(text)-1])) {
		text += "."
	}
	return text
}

var timeType = reflect.TypeFor[time.Time]()
