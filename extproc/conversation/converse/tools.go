package converse

import (
	"strings"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// emptySchema is that of a tool without parameters.
const emptySchema = `{"type":"object","properties":{}}`

// toolConfig adds the tools and whether they are to be called.
func (w *writer) toolConfig() *dialect.Error {
	r := w.request
	forced := w.answersByTool()
	if e := w.checkTools(); e != nil {
		return e
	}
	claude := w.family.thinking == claudeThinking
	if r.ToolChoice == conversation.ChooseNone && !forced {
		switch {
		case !w.calls:
			return nil // without tools none is called
		case !claude:
			return dialect.Unsupported("tool_choice", "can't be 'none' for this endpoint's model after tools were called: Bedrock wants the tools.")
		}
	}
	if len(r.Tools) == 0 && !forced {
		return nil
	}
	w.member("toolConfig")
	w.out = append(w.out, `{"tools":[`...)
	if r.ToolChoice != conversation.ChooseNone || w.calls {
		for i := range r.Tools {
			w.tool(&r.Tools[i])
		}
	}
	if forced {
		f := r.Format
		w.tool(&conversation.Tool{Name: AnswerTool, Schema: f.Schema, Description: strings.TrimSpace("Give the answer. " + f.Description)})
	}
	w.out = append(w.out, ']')
	if e := w.toolChoice(forced, claude); e != nil {
		return e
	}
	w.out = append(w.out, '}')
	return nil
}

func (w *writer) checkTools() *dialect.Error {
	r := w.request
	if len(r.Tools) == 0 && w.calls {
		return dialect.Unsupported("tools", "must be given where the messages hold tool calls or results: Bedrock refuses them without.")
	}
	for i := range r.Tools {
		if r.Tools[i].Name == AnswerTool {
			return dialect.Within(dialect.Unsupported("name", "is a name that the gateway itself uses. Choose another."), "tools", i)
		}
	}
	if r.SingleTool && w.family.thinking != claudeThinking && len(r.Tools) > 0 {
		return dialect.Unsupported("parallel_tool_calls", "can't be turned off for this endpoint's model on Bedrock.")
	}
	return nil
}

func (w *writer) tool(t *conversation.Tool) {
	w.out = dialect.AppendString(append(jsontext.Comma(w.out), `{"toolSpec":{"name":`...), t.Name)
	if t.Description != "" {
		w.out = dialect.AppendString(append(w.out, `,"description":`...), t.Description)
	}
	w.out = append(w.out, `,"inputSchema":{"json":`...)
	if t.Schema == "" || t.Schema == "null" {
		w.out = append(w.out, emptySchema...)
	} else {
		w.out = append(w.out, t.Schema...)
	}
	w.out = append(w.out, '}')
	if t.Strict == "true" && w.family.schema {
		w.out = append(w.out, `,"strict":true`...)
	}
	w.out = append(w.out, "}}"...)
	w.cachePoint(t.Cache, w.family.cacheTool)
}

// toolChoice adds what is to be called. What Converse has no word for, Claude
// is told in its own.
func (w *writer) toolChoice(forced, claude bool) *dialect.Error {
	r := w.request
	var own string // Claude's word for it
	switch {
	case forced && (len(r.Tools) == 0 || r.ToolChoice == conversation.ChooseNone):
		w.out = dialect.AppendString(append(w.out, `,"toolChoice":{"tool":{"name":`...), AnswerTool)
		w.out = append(w.out, "}}"...)
		return nil
	case r.ToolChoice == conversation.ChooseTool:
		own = `{"type":"tool","name":` + string(dialect.AppendString(nil, r.ToolName))
		if !r.SingleTool {
			w.out = dialect.AppendString(append(w.out, `,"toolChoice":{"tool":{"name":`...), r.ToolName)
			w.out = append(w.out, "}}"...)
		}
	case r.ToolChoice == conversation.ChooseAny, forced:
		own = `{"type":"any"`
		if !r.SingleTool {
			w.out = append(w.out, `,"toolChoice":{"any":{}}`...)
		}
	case r.ToolChoice == conversation.ChooseNone:
		w.field("tool_choice", `{"type":"none"}`)
		return nil
	default:
		own = `{"type":"auto"`
		if r.ToolChoice == conversation.ChooseAuto && !r.SingleTool {
			w.out = append(w.out, `,"toolChoice":{"auto":{}}`...)
		}
	}
	if r.SingleTool && claude {
		w.field("tool_choice", own+`,"disable_parallel_tool_use":true}`)
	}
	return nil
}

// answersByTool reports whether a schema is held by a tool that must be called.
func (w *writer) answersByTool() bool {
	return w.request.Format.Kind == conversation.FormatSchema && !w.family.schema
}

// output asks for an answer in a schema, of models that Bedrock holds to one.
func (w *writer) output() *dialect.Error {
	f := w.request.Format
	if f.Kind != conversation.FormatSchema || !w.family.schema {
		return nil
	}
	w.member("outputConfig")
	w.out = append(w.out, `{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":`...)
	w.out = dialect.AppendString(w.out, string(f.Schema))
	if f.Name != "" {
		w.member("name")
		w.out = dialect.AppendString(w.out, f.Name)
	}
	if f.Description != "" {
		w.member("description")
		w.out = dialect.AppendString(w.out, f.Description)
	}
	w.out = append(w.out, "}}}}"...)
	return nil
}
