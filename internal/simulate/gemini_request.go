package simulate

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// geminiShape is what a generateContent request may hold; protobuf's JSON
// takes names in both spellings.
var geminiShape = shapeOf(`
	model cachedContent labels serviceTier store
	contents{role parts{text thought thoughtSignature inlineData{mimeType data displayName} fileData{mimeType fileUri displayName}
		functionCall{id name args partialArgs willContinue} functionResponse{id name response willContinue scheduling parts}
		executableCode codeExecutionResult videoMetadata mediaResolution partMetadata toolCall toolResponse}}
	systemInstruction{role parts}
	tools{functionDeclarations{name description parameters parametersJsonSchema response responseJsonSchema behavior}
		googleSearch googleSearchRetrieval codeExecution urlContext computerUse fileSearch googleMaps retrieval
		enterpriseWebSearch mcpServers}
	toolConfig{functionCallingConfig{mode allowedFunctionNames streamFunctionCallArguments} retrievalConfig
		includeServerSideToolInvocations}
	safetySettings{category threshold method}
	generationConfig{temperature topP topK candidateCount maxOutputTokens stopSequences responseMimeType responseSchema
		responseJsonSchema responseFormat presencePenalty frequencyPenalty seed responseLogprobs logprobs
		thinkingConfig{includeThoughts thinkingBudget thinkingLevel} responseModalities speechConfig imageConfig
		mediaResolution audioTimestamp enableEnhancedCivicAnswers routingConfig}`)

// geminiSchemaNames are the members of Google's Schema, a part of OpenAPI's.
var geminiSchemaNames = []string{"type", "format", "title", "description", "nullable", "enum", "maxItems", "minItems",
	"properties", "required", "minProperties", "maxProperties", "minLength", "maxLength", "pattern", "example", "anyOf",
	"propertyOrdering", "default", "items", "minimum", "maximum", "additionalProperties"}

type geminiPart struct {
	Text       *string     `json:"text"`
	Thought    bool        `json:"thought"`
	Signature  string      `json:"thoughtSignature"`
	InlineData *geminiBlob `json:"inlineData"`
	FileData   *struct {
		FileURI string `json:"fileUri"`
	} `json:"fileData"`
	FunctionCall     *geminiCall     `json:"functionCall"`
	FunctionResponse *geminiResponse `json:"functionResponse"`
}

type geminiBlob struct {
	MimeType string `json:"mimeType"`
	Data     string `json:"data"`
}

type geminiCall struct {
	ID   string          `json:"id,omitempty"`
	Name string          `json:"name"`
	Args json.RawMessage `json:"args"`
}

type geminiResponse struct {
	ID       string          `json:"id"`
	Name     string          `json:"name"`
	Response json.RawMessage `json:"response"`
}

type geminiContent struct {
	Role  string       `json:"role"`
	Parts []geminiPart `json:"parts"`
}

type geminiRequest struct {
	Contents          []geminiContent `json:"contents"`
	SystemInstruction *geminiContent  `json:"systemInstruction"`
	Tools             []struct {
		FunctionDeclarations []struct {
			Name       string          `json:"name"`
			Parameters json.RawMessage `json:"parameters"`
			JSONSchema json.RawMessage `json:"parametersJsonSchema"`
		} `json:"functionDeclarations"`
	} `json:"tools"`
	ToolConfig struct {
		FunctionCalling struct {
			Mode    string   `json:"mode"`
			Allowed []string `json:"allowedFunctionNames"`
		} `json:"functionCallingConfig"`
	} `json:"toolConfig"`
	Generation struct {
		Temperature     *float64        `json:"temperature"`
		TopP            *float64        `json:"topP"`
		CandidateCount  *int            `json:"candidateCount"`
		MaxOutputTokens *int            `json:"maxOutputTokens"`
		StopSequences   []string        `json:"stopSequences"`
		MimeType        string          `json:"responseMimeType"`
		Schema          json.RawMessage `json:"responseSchema"`
		JSONSchema      json.RawMessage `json:"responseJsonSchema"`
		Thinking        *struct {
			IncludeThoughts bool `json:"includeThoughts"`
		} `json:"thinkingConfig"`
	} `json:"generationConfig"`
}

// readGoogle decodes a body whose names may be in either spelling, and refuses
// those that the shape does not have.
func (c *call) readGoogle(body []byte, v any, s shape) *problem {
	if x, found := s.extraIn(body, camel); found && !c.env.allowUnknown {
		if x.at == "" {
			return badRequest("", "Invalid JSON payload received. Unknown name %q: Cannot find field.", x.name)
		}
		return badRequest(x.at, "Invalid JSON payload received. Unknown name %q at '%s': Cannot find field.", x.name, x.at)
	}
	_, p := decode(camelBody(body, s), v, nil)
	return p
}

// camelBody spells the names of a body as the shape does. A body that can't be
// read comes back as it is.
func camelBody(body []byte, s shape) []byte {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return body
	}
	return marshal(camelValue(v, s))
}

func camelValue(v any, s shape) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = camelValue(v[i], s)
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, value := range v {
			if inner := s[camel(name)]; inner != nil {
				value = camelValue(value, inner)
			}
			out[camel(name)] = value
		}
		return out
	}
	return v
}

// question checks a generateContent request and returns what it asks.
func (r *geminiRequest) question(c *call) (*question, *problem) {
	q := c.question(c.args["model"])
	q.stop = r.Generation.StopSequences
	if n := r.Generation.MaxOutputTokens; n != nil {
		q.maxWords = *n
	}
	if n := r.Generation.CandidateCount; n != nil {
		q.choices = *n
	}
	return q, first(googleRange("temperature", r.Generation.Temperature, 0, 2), googleRange("top_p", r.Generation.TopP, 0, 1),
		r.checkCounts(), r.readTools(q), r.readToolConfig(q), r.readFormat(q), r.readContents(c, q))
}

func googleRange(name string, v *float64, low, high float64) *problem {
	if v == nil || (*v >= low && *v <= high) {
		return nil
	}
	return badRequest("", "* GenerateContentRequest.generation_config.%s: %s must be in the range [%.1f, %.1f].", name,
		name, low, high)
}

func (r *geminiRequest) checkCounts() *problem {
	g := r.Generation
	switch {
	case g.CandidateCount != nil && (*g.CandidateCount < 1 || *g.CandidateCount > 8):
		return badRequest("", "* GenerateContentRequest.generation_config.candidate_count: candidateCount must be in "+
			"the range [1, 8].")
	case g.MaxOutputTokens != nil && *g.MaxOutputTokens < 1:
		return badRequest("", "* GenerateContentRequest.generation_config.max_output_tokens: max_output_tokens must be positive.")
	case len(g.StopSequences) > 5:
		return badRequest("", "* GenerateContentRequest.generation_config.stop_sequences: must have at most 5 elements.")
	case slices.Contains(g.StopSequences, ""):
		return badRequest("", "* GenerateContentRequest.generation_config.stop_sequences: must not hold an empty string.")
	}
	return nil
}

func (r *geminiRequest) readTools(q *question) *problem {
	for i, t := range r.Tools {
		for j, f := range t.FunctionDeclarations {
			at := fmt.Sprintf("tools[%d].function_declarations[%d]", i, j)
			if !anthropicToolName.MatchString(strings.NewReplacer(".", "_", ":", "_").Replace(f.Name)) {
				return badRequest("", "* GenerateContentRequest.%s.name: Invalid function name.", at)
			}
			if len(f.Parameters) > 0 && len(f.JSONSchema) > 0 {
				return badRequest("", "* GenerateContentRequest.%s: parameters and parameters_json_schema can not both be set.", at)
			}
			if p := checkGoogleSchema(at+".parameters", f.Parameters); p != nil {
				return p
			}
			schema := f.Parameters
			if len(schema) == 0 {
				schema = f.JSONSchema
			}
			q.tools = append(q.tools, tool{name: f.Name, schema: lowerTypes(schema)})
		}
	}
	return nil
}

func (r *geminiRequest) readToolConfig(q *question) *problem {
	f := r.ToolConfig.FunctionCalling
	switch strings.ToUpper(f.Mode) {
	case "", "AUTO", "MODE_UNSPECIFIED":
		return nil
	case "NONE":
		q.choice.none = true
	case "ANY", "VALIDATED":
		q.choice.force = strings.EqualFold(f.Mode, "ANY")
	default:
		return badRequest("tool_config.function_calling_config.mode",
			"Invalid value at 'tool_config.function_calling_config.mode': %q", f.Mode)
	}
	if len(f.Allowed) > 0 {
		for _, name := range f.Allowed {
			if !slices.ContainsFunc(q.tools, func(t tool) bool { return t.name == name }) {
				return badRequest("", "Function name `%s` of allowed_function_names is not declared in tools.", name)
			}
		}
		q.tools = slices.DeleteFunc(q.tools, func(t tool) bool { return !slices.Contains(f.Allowed, t.name) })
	}
	return nil
}

func (r *geminiRequest) readFormat(q *question) *problem {
	g := r.Generation
	schema := g.JSONSchema
	if len(schema) == 0 {
		schema = lowerTypes(g.Schema)
	}
	switch {
	case len(g.Schema) > 0 && len(g.JSONSchema) > 0:
		return badRequest("", "* GenerateContentRequest.generation_config: response_schema and response_json_schema can "+
			"not both be set.")
	case len(schema) > 0 && g.MimeType != "application/json" && g.MimeType != "text/x.enum":
		return badRequest("", "* GenerateContentRequest.generation_config.response_schema: only allowed when the response "+
			"mimetype is application/json or text/x.enum.")
	case g.MimeType == "application/json" && len(schema) == 0:
		q.schema = json.RawMessage("{}")
	case len(schema) > 0:
		q.schema = schema
	case g.MimeType != "" && g.MimeType != "text/plain":
		return badRequest("", "* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes are "+
			"`text/plain`, "+
			"`application/json`, `application/xml`, `application/yaml` and `text/x.enum`.")
	}
	return checkGoogleSchema("generation_config.response_schema", g.Schema)
}

// checkGoogleSchema refuses members of JSON Schema that Google's Schema lacks.
func checkGoogleSchema(at string, raw json.RawMessage) *problem {
	var schema map[string]any
	if json.Unmarshal(raw, &schema) != nil {
		return nil
	}
	for name, value := range schema {
		if !slices.Contains(geminiSchemaNames, camel(name)) {
			return badRequest(at, "Invalid JSON payload received. Unknown name %q at '%s': Cannot find field.", name, at)
		}
		inner := map[string]any{}
		switch name {
		case "properties":
			inner, _ = value.(map[string]any)
		case "items":
			inner["items"] = value
		}
		for member, v := range inner {
			if p := checkGoogleSchema(at+"."+name+"."+member, marshal(v)); p != nil {
				return p
			}
		}
	}
	return nil
}

// lowerTypes spells the types of Google's Schema ("STRING") as JSON Schema does.
func lowerTypes(raw json.RawMessage) json.RawMessage {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return raw
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, element := range v {
				walk(element)
			}
		case map[string]any:
			if kind, ok := v["type"].(string); ok {
				v["type"] = strings.ToLower(kind)
			}
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(v)
	return marshal(v)
}

// isBase64 reports whether protobuf's JSON takes a text as bytes: either
// alphabet, with or without padding.
func isBase64(data string) bool {
	data = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(data, "="))
	raw, err := base64.RawStdEncoding.DecodeString(data)
	return err == nil && len(raw) > 0
}
