package openai

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
)

func (r *chatReader) tools(list gjson.Result) *dialect.Error {
	if !list.IsArray() {
		return dialect.InvalidField("tools", "must be a list.")
	}
	return codec.Each(list, func(i int, v gjson.Result) *dialect.Error {
		t, e := readTool(v)
		r.form.Tools = append(r.form.Tools, t)
		return dialect.Within(e, "tools", i)
	})
}

func readTool(v gjson.Result) (t conversation.Tool, e *dialect.Error) {
	var function gjson.Result
	e = codec.Members(v, func(name string, v gjson.Result) *dialect.Error {
		switch {
		case name == "type" && v.Str == "function":
		case name == "function":
			function = v
		case name == "cache_control":
			t.Cache = conversation.Raw(v.Raw)
		default:
			return dialect.Unsupported(name, codec.NotCarried)
		}
		return nil
	})
	if e != nil {
		return t, e
	}
	return t, codec.In(readFunction(&t, function), "function")
}

func readFunction(t *conversation.Tool, v gjson.Result) *dialect.Error {
	e := codec.Members(v, func(name string, v gjson.Result) *dialect.Error {
		switch name {
		case "name":
			t.Name = v.Str
		case "description":
			t.Description = v.Str
		case "strict":
			t.Strict = codec.TrueFalse(v)
		case "parameters":
			if !v.IsObject() {
				return dialect.InvalidField(name, "must be a JSON schema.")
			}
			t.Schema = conversation.Raw(v.Raw)
		default:
			return dialect.Unsupported(name, codec.NotCarried)
		}
		return nil
	})
	if e == nil && t.Name == "" {
		e = dialect.InvalidField("name", "must be a string.")
	}
	return e
}

func (r *chatReader) toolChoice(v gjson.Result) *dialect.Error {
	f := r.form
	switch name := v.Get("function.name"); {
	case v.Str == "auto":
		f.ToolChoice = conversation.ChooseAuto
	case v.Str == "none":
		f.ToolChoice = conversation.ChooseNone
	case v.Str == "required":
		f.ToolChoice = conversation.ChooseAny
	case v.Get("type").Str == "function" && name.Type == gjson.String:
		f.ToolChoice, f.ToolName = conversation.ChooseTool, name.Str
	default:
		return dialect.Unsupported("tool_choice", "must be none, auto, required or a function.")
	}
	return nil
}
