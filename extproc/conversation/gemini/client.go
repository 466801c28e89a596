package gemini

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// request is a client's call on its way into the form.
type request struct {
	conversation.Request

	allowed   []string // the only functions that may be called; nil: all
	calls     calls
	plainTopK bool // topK is Gemini's own
}

func (client) Read(req *dialect.Request) (*conversation.Request, *dialect.Error) {
	r := &request{}
	r.Stream = req.Stream
	e := each(jsontext.View(req.Payload), r.member)
	if e != nil {
		return nil, e
	}
	r.restrict()
	return &r.Request, nil
}

func (r *request) member(key string, v gjson.Result) *dialect.Error {
	switch key {
	case "contents":
		return r.contents(v)
	case "systemInstruction":
		return codec.In(r.system(v), key)
	case "tools":
		return r.tools(v)
	case "toolConfig":
		return codec.In(each(v, r.toolConfig), key)
	case "generationConfig":
		return codec.In(r.config(v), key)
	case "safetySettings":
		return r.safety(v)
	case "serviceTier":
		r.ServiceTier = tiers[strings.ToLower(v.Str)]
	case "model", "labels", "store":
	default:
		r.Extra = append(r.Extra, conversation.Member{Name: key, Value: conversation.Raw(v.Raw)})
	}
	return nil
}

// tiers are Gemini's service tiers in OpenAI's words.
var tiers = map[string]string{"standard": "default", "flex": "flex", "priority": "priority"}

// system reads a content of texts. A string is what some clients send.
func (r *request) system(v gjson.Result) (e *dialect.Error) {
	if v.Type == gjson.String {
		r.System = append(r.System, conversation.Block{Kind: conversation.Text, Text: v.Str})
		return nil
	}
	i := 0
	v.Get("parts").ForEach(func(_, part gjson.Result) bool {
		text := part.Get("text")
		if text.Type != gjson.String {
			e = dialect.Within(dialect.InvalidField("text", "must be there: instructions hold nothing but text."), "parts", i)
			return false
		}
		r.System = append(r.System, conversation.Block{Kind: conversation.Text, Text: text.Str})
		i++
		return true
	})
	return e
}

// safety leaves out settings that block nothing, for providers that have no
// such filters; it refuses those that do block.
func (r *request) safety(v gjson.Result) (e *dialect.Error) {
	i := 0
	v.ForEach(func(_, setting gjson.Result) bool {
		switch setting.Get("threshold").Str {
		case "BLOCK_NONE", "OFF", "HARM_BLOCK_THRESHOLD_UNSPECIFIED", "":
		default:
			e = dialect.Within(dialect.Unsupported("threshold", "asks for a filter that the model of this endpoint does not have: it can only be OFF."),
				"safetySettings", i)
		}
		i++
		return e == nil
	})
	return e
}

func (r *request) tools(list gjson.Result) (e *dialect.Error) {
	i := 0
	list.ForEach(func(_, tool gjson.Result) bool {
		e = dialect.Within(each(tool, func(kind string, v gjson.Result) *dialect.Error {
			if kind != "functionDeclarations" {
				return dialect.Unsupported(kind, "is a tool that only Gemini's own models have: the model of this endpoint is another.")
			}
			return r.functions(v)
		}), "tools", i)
		i++
		return e == nil
	})
	return e
}

func (r *request) functions(list gjson.Result) (e *dialect.Error) {
	i := 0
	list.ForEach(func(_, f gjson.Result) bool {
		e = dialect.Within(r.function(f), "functionDeclarations", i)
		i++
		return e == nil
	})
	return e
}

func (r *request) function(f gjson.Result) *dialect.Error {
	var tool conversation.Tool
	e := each(f, func(key string, v gjson.Result) *dialect.Error {
		switch key {
		case "name":
			tool.Name = v.Str
		case "description":
			tool.Description = v.Str
		case "parameters":
			schema, ok := appendJSONSchema(nil, v, 0)
			if !ok {
				return dialect.InvalidField(key, "is not a schema.")
			}
			tool.Schema = conversation.Raw(schema)
		case "parametersJsonSchema":
			tool.Schema = conversation.Raw(v.Raw)
		case "response", "responseJsonSchema", "behavior":
		default:
			return dialect.Unsupported(key, "can't be expressed for the model of this endpoint.")
		}
		return nil
	})
	if e == nil && tool.Name == "" {
		return dialect.InvalidField("name", "must be the name of the function.")
	}
	r.Tools = append(r.Tools, tool)
	return e
}

func (r *request) toolConfig(key string, v gjson.Result) *dialect.Error {
	if key != "functionCallingConfig" {
		return nil // about tools that Google runs, which are refused
	}
	return codec.In(each(v, r.calling), key)
}

func (r *request) calling(key string, v gjson.Result) *dialect.Error {
	switch key {
	case "mode":
		switch strings.ToUpper(v.Str) {
		case "AUTO", "VALIDATED":
			r.ToolChoice = conversation.ChooseAuto
		case "ANY":
			r.ToolChoice = conversation.ChooseAny
		case "NONE":
			r.ToolChoice = conversation.ChooseNone
		case "MODE_UNSPECIFIED":
		default:
			return dialect.InvalidField(key, "must be AUTO, ANY, NONE or VALIDATED.")
		}
	case "allowedFunctionNames":
		v.ForEach(func(_, name gjson.Result) bool {
			r.allowed = append(r.allowed, name.Str)
			return true
		})
	}
	return nil
}

// restrict keeps to the functions that may be called: one becomes the choice,
// several become all the tools that there are.
func (r *request) restrict() {
	switch {
	case len(r.allowed) == 0 || r.ToolChoice == conversation.ChooseNone:
	case len(r.allowed) == 1 && r.ToolChoice == conversation.ChooseAny:
		r.ToolChoice, r.ToolName = conversation.ChooseTool, r.allowed[0]
	default:
		var tools []conversation.Tool
		for _, t := range r.Tools {
			for _, name := range r.allowed {
				if t.Name == name {
					tools = append(tools, t)
					break
				}
			}
		}
		r.Tools = tools
	}
}

// whole reads a whole number, which Google's JSON may hold in a string.
func whole(v gjson.Result) (int64, bool) {
	text := v.Raw
	if v.Type == gjson.String {
		text = v.Str
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}
