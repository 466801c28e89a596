package anthropic

import (
	"github.com/tidwall/gjson"

	format "sluice/extproc/conversation/anthropic"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

func (r *mlflowRequest) tools(p members) (e *dialect.Error) {
	list := p.get("tools")
	if !list.IsArray() || len(list.Array()) == 0 {
		return nil
	}
	r.out = append(jsontext.Comma(r.out), `"tools":[`...)
	list.ForEach(func(_, t gjson.Result) bool {
		if kind := t.Get("type").Str; kind != "function" {
			e = mlflowRefusal("Only function calling tool is supported, but received tool type " + kind)
			return false
		}
		f := t.Get("function")
		if f.Get("name").Type != gjson.String {
			e = mlflowRefusal("A tool of type function must have a function with a name.")
			return false
		}
		r.out = append(append(jsontext.Comma(r.out), `{"name":`...), f.Get("name").Raw...)
		if d := f.Get("description"); d.Type == gjson.String {
			r.out = append(append(r.out, `,"description":`...), d.Raw...)
		}
		r.out = append(r.out, `,"input_schema":`...)
		if schema := f.Get("parameters"); schema.IsObject() {
			r.out = append(r.out, schema.Raw...)
		} else {
			r.out = append(r.out, format.EmptySchema...)
		}
		r.out = append(r.out, '}')
		return true
	})
	r.out = append(r.out, ']')
	return e
}

func (r *mlflowRequest) toolChoice(p members) *dialect.Error {
	switch c := p.get("tool_choice"); {
	case c.Str == "none" || c.Str == "auto":
		r.raw("tool_choice", `{"type":"`+c.Str+`"}`)
	case c.Str == "required":
		r.raw("tool_choice", `{"type":"any"}`)
	case c.Get("type").Str == "function" && c.Get("function.name").Exists():
		r.raw("tool_choice", `{"type":"tool","name":`+c.Get("function.name").Raw+"}")
	}
	return nil
}

// responseFormat asks for structured output, where Anthropic can express the
// schema; MLflow lets the model answer freely where it can't.
func (r *mlflowRequest) responseFormat(p members) *dialect.Error {
	f := p.get("response_format")
	switch f.Get("type").Str {
	case "json_schema":
		spec := f.Get("json_schema")
		if !spec.Exists() {
			return nil
		}
		raw := "{}"
		if s := spec.Get("schema"); s.IsObject() {
			raw = s.Raw
		}
		if schema, ok := format.CloseObjects(nil, gjson.Parse(raw), true); ok {
			r.raw("output_config", `{"format":{"type":"json_schema","schema":`+string(schema)+"}}")
		}
	case "json_object":
		if len(r.system) > 0 {
			r.system = append(r.system, `\n`...)
		}
		r.system = append(r.system, format.JSONInstruction...) // holds nothing that JSON escapes
	}
	return nil
}
