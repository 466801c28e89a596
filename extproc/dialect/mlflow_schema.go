package dialect

import p "sluice/extproc/dialect/pydantic"

// The request models of MLflow 3.17.2, mlflow/types/chat.py and
// mlflow/gateway/schemas, field for field, in pydantic's order. They differ
// from it in two ways only, both more generous: "stop" may be a bare string,
// and a JSON Schema inside a request (a tool's parameters, a response
// format's schema) keeps what MLflow's models do not know of.
var mlflowSchemas = map[Operation]*p.Model{
	Chat:        chatModel(),
	Completions: {Extra: p.Keep, Fields: append(samplingFields(), p.Field{Name: "prompt", Schema: p.String{}, Required: true})},
	Embeddings: {Extra: p.Keep, Fields: []p.Field{{Name: "input", Required: true, Schema: p.Union{
		p.String{}, p.List{Item: p.String{}}, p.List{Item: p.Int{}}, p.List{Item: p.List{Item: p.Int{}}},
	}}}},
}

// limitsModel is MLflow's SetLimitsConfig.
var limitsModel = &p.Model{Fields: []p.Field{
	{Name: "route", Schema: p.String{}, Required: true},
	{Name: "limits", Schema: p.List{Item: p.Dict{Value: p.Any{}}}, Required: true},
}}

func samplingFields() []p.Field {
	atLeastOne := p.Int{HasMin: true, Min: 1}
	penalty := p.Float{Min: -2, Max: 2}
	return []p.Field{
		{Name: "n", Schema: atLeastOne, Default: "1"},
		{Name: "stop", Schema: p.List{Item: p.String{}, NonEmpty: true, OrString: true}, Nullable: true},
		{Name: "max_tokens", Schema: atLeastOne, Nullable: true},
		{Name: "max_completion_tokens", Schema: atLeastOne, Nullable: true},
		{Name: "stream", Schema: p.Bool{}, Nullable: true},
		{Name: "stream_options", Schema: p.Dict{Value: p.Any{}}, Nullable: true},
		{Name: "model", Schema: p.String{}, Nullable: true},
		{Name: "response_format", Schema: responseFormatModel(), Nullable: true},
		{Name: "temperature", Schema: p.Float{Min: 0, Max: 2}, Nullable: true},
		{Name: "top_p", Schema: p.Float{Min: 0, Max: 1}, Nullable: true},
		{Name: "presence_penalty", Schema: penalty, Nullable: true},
		{Name: "frequency_penalty", Schema: penalty, Nullable: true},
		{Name: "top_k", Schema: atLeastOne, Nullable: true},
	}
}

func chatModel() *p.Model {
	choice := p.Union{
		literal("none", "auto", "required"),
		&p.Model{Name: "ToolChoice", Fields: []p.Field{
			{Name: "type", Schema: literal("function"), Required: true},
			{Name: "function", Schema: named("ToolChoiceFunction"), Required: true},
		}},
	}
	return &p.Model{Extra: p.Keep, Fields: append(samplingFields(),
		p.Field{Name: "messages", Schema: p.List{Item: messageModel(), NonEmpty: true}, Required: true},
		p.Field{Name: "tools", Schema: p.List{Item: toolModel()}, Nullable: true},
		p.Field{Name: "tool_choice", Schema: choice, Nullable: true},
	)}
}

func messageModel() *p.Model {
	call := &p.Model{Fields: []p.Field{
		{Name: "id", Schema: p.String{}, Required: true},
		{Name: "type", Schema: p.String{}, Default: `"function"`},
		{Name: "function", Required: true, Schema: &p.Model{Fields: []p.Field{
			{Name: "name", Schema: p.String{}, Nullable: true},
			{Name: "arguments", Schema: p.String{}, Nullable: true},
		}}},
		{Name: "thought_signature", Schema: p.String{}, Nullable: true},
	}}
	return &p.Model{Fields: []p.Field{
		{Name: "role", Schema: p.String{}, Required: true},
		{Name: "content", Schema: p.Union{p.String{}, p.List{Item: contentParts()}}, Nullable: true},
		{Name: "tool_calls", Schema: p.List{Item: call}, Nullable: true},
		{Name: "refusal", Schema: p.String{}, Nullable: true},
		{Name: "tool_call_id", Schema: p.String{}, Nullable: true},
	}}
}

func contentParts() *p.Tagged {
	part := func(name, tag string, fields ...p.Field) *p.Model {
		kind := p.Field{Name: "type", Schema: literal(tag), Required: true}
		return &p.Model{Name: name, Fields: append([]p.Field{kind}, fields...)}
	}
	image := &p.Model{Fields: []p.Field{
		{Name: "url", Schema: p.String{}, Required: true},
		{Name: "detail", Schema: literal("auto", "low", "high"), Nullable: true},
	}}
	audio := &p.Model{Fields: []p.Field{
		{Name: "data", Schema: p.String{}, Required: true},
		{Name: "format", Schema: literal("wav", "mp3"), Required: true},
	}}
	text := p.Field{Name: "text", Schema: p.String{}, Required: true}
	summary := p.List{Item: part("ReasoningSummaryPart", "summary_text", text)}
	reasoning := part("ReasoningContentPart", "reasoning", p.Field{Name: "summary", Schema: summary, Default: "[]"})
	reasoning.Extra = p.Keep
	return &p.Tagged{
		On:   "type",
		Tags: []string{"text", "image_url", "input_audio", "reasoning"},
		By: map[string]*p.Model{
			"text":        part("TextContentPart", "text", text),
			"image_url":   part("ImageContentPart", "image_url", p.Field{Name: "image_url", Schema: image, Required: true}),
			"input_audio": part("AudioContentPart", "input_audio", p.Field{Name: "input_audio", Schema: audio, Required: true}),
			"reasoning":   reasoning,
		},
	}
}

func toolModel() *p.Model {
	parameters := &p.Model{Extra: p.KeepRaw, Fields: []p.Field{
		{Name: "properties", Schema: p.Dict{Value: propertyModel()}, Required: true},
		{Name: "type", Schema: literal("object"), Default: `"object"`},
		{Name: "required", Schema: p.List{Item: p.String{}}, Nullable: true},
		{Name: "additionalProperties", Schema: p.Bool{}, Nullable: true},
	}}
	function := &p.Model{Fields: []p.Field{
		{Name: "name", Schema: p.String{}, Required: true},
		{Name: "description", Schema: p.String{}, Nullable: true},
		{Name: "parameters", Schema: parameters, Nullable: true},
		{Name: "strict", Schema: p.Bool{}, Nullable: true},
	}}
	uc := named("UnityCatalogFunctionToolDefinition")
	uc.Extra = p.Keep
	return &p.Model{Extra: p.Keep, Fields: []p.Field{
		{Name: "type", Schema: literal("function", "uc_function"), Required: true},
		{Name: "function", Schema: function, Nullable: true},
		{Name: "uc_function", Schema: uc, Nullable: true},
	}}
}

// propertyModel is recursive: an array's items are properties.
func propertyModel() *p.Model {
	kind := literal("string", "number", "integer", "object", "array", "boolean", "null")
	m := &p.Model{Extra: p.KeepRaw, Fields: []p.Field{
		{Name: "type", Schema: p.Union{kind, p.List{Item: kind}}, Nullable: true},
		{Name: "description", Schema: p.String{}, Nullable: true},
		{Name: "enum", Schema: p.List{Item: p.Scalar{}}, Nullable: true},
	}}
	m.Fields = append(m.Fields, p.Field{Name: "items", Schema: m, Nullable: true})
	return m
}

func responseFormatModel() *p.Model {
	spec := &p.Model{Extra: p.Keep, Fields: []p.Field{
		{Name: "name", Schema: p.String{}, Required: true},
		{Name: "schema", Schema: p.Dict{Value: p.Raw{}}, Required: true},
		{Name: "strict", Schema: p.Bool{}, Default: "true"},
	}}
	return &p.Model{Fields: []p.Field{
		{Name: "type", Schema: literal("text", "json_object", "json_schema"), Required: true},
		{Name: "json_schema", Schema: spec, Nullable: true},
	}}
}

// named is a model with nothing but a name.
func named(model string) *p.Model {
	return &p.Model{Name: model, Fields: []p.Field{{Name: "name", Schema: p.String{}, Required: true}}}
}

func literal(values ...string) p.Literal { return p.Literal(values) }
