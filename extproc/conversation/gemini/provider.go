package gemini

import (
	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

func (p provider) Write(r *conversation.Request, model string) ([]byte, *dialect.Error) {
	if r.Candidates > 1 {
		return nil, dialect.Unsupported("n", "must be 1 for Gemini models called in another dialect than Gemini's.")
	}
	w := &turns{vertex: p.vertex, model: parseModel(model), system: r.System, names: map[string]string{}}
	if e := w.messages(r.Messages); e != nil {
		return nil, e
	}
	if len(w.b) == 0 {
		return nil, dialect.InvalidField("messages", "must hold a message besides the instructions to the model.")
	}
	b := append(make([]byte, 0, len(w.b)+1024), `{"contents":[`...)
	b = append(append(b, w.b...), ']')
	b = appendSystem(b, w.system)
	b, e := appendTools(b, r)
	if e != nil {
		return nil, e
	}
	b = appendGeneration(b, r, w.model)
	for _, m := range r.Extra {
		switch m.Name {
		case "safetySettings", "cachedContent", "labels":
			b = codec.AppendRaw(b, m.Name, m.Value)
		default:
			return nil, dialect.Unsupported(m.Name, "can't be expressed for Gemini models.")
		}
	}
	if tier := r.ServiceTier; tier == "flex" || tier == "priority" {
		b = codec.AppendText(b, "serviceTier", tier)
	}
	return append(b, '}'), nil
}

func appendSystem(b []byte, system []conversation.Block) []byte {
	if len(system) == 0 {
		return b
	}
	b = append(codec.AppendMember(b, "systemInstruction"), `{"parts":[`...)
	for i := range system {
		b = append(codec.AppendText(append(jsontext.Comma(b), '{'), "text", system[i].Text), '}')
	}
	return append(b, "]}"...)
}

func appendTools(b []byte, r *conversation.Request) ([]byte, *dialect.Error) {
	if len(r.Tools) == 0 {
		return b, nil
	}
	b = append(codec.AppendMember(b, "tools"), `[{"functionDeclarations":[`...)
	for i := range r.Tools {
		t := &r.Tools[i]
		b = codec.AppendText(append(jsontext.Comma(b), '{'), "name", t.Name)
		if t.Description != "" {
			b = codec.AppendText(b, "description", t.Description)
		}
		b = append(codec.AppendRaw(b, "parametersJsonSchema", t.Schema), '}')
	}
	b = append(b, "]}]"...)
	if r.ToolChoice == conversation.ChooseDefault {
		return b, nil
	}
	b = append(codec.AppendMember(b, "toolConfig"), `{"functionCallingConfig":{"mode":"`...)
	switch r.ToolChoice {
	case conversation.ChooseNone:
		b = append(b, `NONE"`...)
	case conversation.ChooseAny:
		b = append(b, `ANY"`...)
	case conversation.ChooseTool:
		b = dialect.AppendString(append(b, `ANY","allowedFunctionNames":[`...), r.ToolName)
		b = append(b, ']')
	default:
		b = append(b, `AUTO"`...)
	}
	return append(b, "}}"...), nil
}
