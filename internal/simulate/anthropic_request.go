package simulate

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The parameters of the API reference.
var (
	anthropicMessageNames = []string{"cache_control", "container", "context_management", "inference_geo", "max_tokens",
		"mcp_servers", "messages", "metadata", "model", "output_config", "output_format", "service_tier", "speed", "stop_sequences",
		"stream", "system", "temperature", "thinking", "tool_choice", "tools", "top_k", "top_p"}
	anthropicCountNames = []string{"cache_control", "context_management", "mcp_servers", "messages", "model", "output_config",
		"output_format", "speed", "system", "thinking", "tool_choice", "tools"}
	anthropicCompleteNames = []string{"max_tokens_to_sample", "metadata", "model", "prompt", "stop_sequences", "stream",
		"temperature", "top_k", "top_p"}
)

type anthropicSampling struct {
	Model         *string  `json:"model"`
	StopSequences []string `json:"stop_sequences"`
	Stream        bool     `json:"stream"`
	Temperature   *float64 `json:"temperature"`
	TopP          *float64 `json:"top_p"`
	TopK          *int     `json:"top_k"`
}

func (s *anthropicSampling) check() *problem {
	if s.Model == nil || *s.Model == "" {
		return badRequest("", "model: Field required")
	}
	for i, stop := range s.StopSequences {
		if strings.TrimSpace(stop) == "" {
			return badRequest("", "stop_sequences: each stop sequence must contain non-whitespace (index %d)", i)
		}
	}
	if s.TopK != nil && *s.TopK < 0 {
		return badRequest("", "top_k: Input should be greater than or equal to 0")
	}
	return first(unitRange("temperature", s.Temperature), unitRange("top_p", s.TopP))
}

// unitRange checks an optional number from 0 to 1.
func unitRange(name string, v *float64) *problem {
	if v == nil || (*v >= 0 && *v <= 1) {
		return nil
	}
	return badRequest("", "%s: range: 0..1", name)
}

func (s *anthropicSampling) question(maxTokens int, body []byte) *question {
	return &question{model: *s.Model, stream: s.Stream, choices: 1, stop: s.StopSequences, maxWords: maxTokens, seed: body}
}

type anthropicRequest struct {
	anthropicSampling
	Version    string             `json:"anthropic_version"` // at a cloud's
	MaxTokens  *int               `json:"max_tokens"`
	Messages   []anthropicMessage `json:"messages"`
	System     json.RawMessage    `json:"system"`
	Tools      []anthropicTool    `json:"tools"`
	ToolChoice *struct {
		Type string `json:"type"`
		Name string `json:"name"`

		DisableParallelToolUse bool `json:"disable_parallel_tool_use"`
	} `json:"tool_choice"`
	Thinking *struct {
		Type         string `json:"type"`
		BudgetTokens *int   `json:"budget_tokens"`
	} `json:"thinking"`
	OutputConfig *struct {
		Format *anthropicFormat `json:"format"`
	} `json:"output_config"`
	OutputFormat *anthropicFormat `json:"output_format"` // its name in the beta
}

type anthropicFormat struct {
	Type   string          `json:"type"`
	Schema json.RawMessage `json:"schema"`
}

type anthropicTool struct {
	Type        string          `json:"type"`
	Name        string          `json:"name"`
	InputSchema json.RawMessage `json:"input_schema"`
}

var anthropicToolName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)

// question checks a Messages request and returns what it asks.
func (r *anthropicRequest) question(body []byte) (*question, *problem) {
	if p := first(r.check(), checkMaxTokens("max_tokens", r.MaxTokens), r.checkThinking()); p != nil {
		return nil, p
	}
	q := r.anthropicSampling.question(*r.MaxTokens, body)
	turns, p := readTurns(r.Messages)
	if p := first(p, r.readSystem(q), r.readTools(q), r.readToolChoice(q)); p != nil {
		return nil, p
	}
	if p := first(checkTurns(turns), r.readFormat(q)); p != nil {
		return nil, p
	}
	if r.Thinking != nil && r.Thinking.Type == "enabled" {
		if p := checkThoughtFirst(turns); p != nil {
			return nil, p
		}
	}
	readQuestion(q, turns)
	return q, nil
}

func checkMaxTokens(name string, v *int) *problem {
	switch {
	case v == nil:
		return badRequest("", "%s: Field required", name)
	case *v < 1:
		return badRequest("", "%s: must be greater than or equal to 1", name)
	}
	return nil
}

func (r *anthropicRequest) checkThinking() *problem {
	if r.Thinking == nil {
		return nil
	}
	switch r.Thinking.Type {
	case "disabled", "adaptive":
		return nil
	case "enabled":
	default:
		return badRequest("", "thinking: Input tag '%s' found using 'type' does not match any of the expected tags: "+
			"'adaptive', 'disabled', 'enabled'", r.Thinking.Type)
	}
	budget := r.Thinking.BudgetTokens
	switch {
	case budget == nil:
		return badRequest("", "thinking.enabled.budget_tokens: Field required")
	case *budget < 1024:
		return badRequest("", "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
	case *budget >= *r.MaxTokens:
		return badRequest("", "`max_tokens` must be greater than `thinking.budget_tokens`.")
	case r.Temperature != nil && *r.Temperature != 1:
		return badRequest("", "`temperature` may only be set to 1 when thinking is enabled.")
	}
	return nil
}

func (r *anthropicRequest) thinks() bool { return r.Thinking != nil && r.Thinking.Type != "disabled" }

// readFormat reads what a structured answer must fit.
func (r *anthropicRequest) readFormat(q *question) *problem {
	format := r.OutputFormat
	if r.OutputConfig != nil && r.OutputConfig.Format != nil {
		format = r.OutputConfig.Format
	}
	if format == nil {
		return nil
	}
	if format.Type != "json_schema" || isNull(format.Schema) {
		return badRequest("", "output_config.format: Input should be a json_schema with its schema")
	}
	var schema any
	_ = json.Unmarshal(format.Schema, &schema) // it is part of a body that was read
	if openObject(schema) {
		return badRequest("", "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly "+
			"set to false")
	}
	q.schema = format.Schema
	return nil
}

// openObject reports whether a schema holds an object that takes any property.
func openObject(schema any) bool {
	switch v := schema.(type) {
	case map[string]any:
		if v["type"] == "object" && v["additionalProperties"] != false {
			return true
		}
		for _, inner := range v {
			if openObject(inner) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, openObject)
	}
	return false
}

func (r *anthropicRequest) readSystem(q *question) *problem {
	if isNull(r.System) {
		return nil
	}
	blocks, ok := readBlocks(r.System)
	if !ok {
		return badRequest("", "system: Input should be a valid string or a list of text blocks")
	}
	for i, b := range blocks {
		if b.Type != "text" {
			return badRequest("", "system.%d.type: Input should be 'text'", i)
		}
		q.words += countWords(b.Text)
	}
	return nil
}

func (r *anthropicRequest) readTools(q *question) *problem {
	for i, t := range r.Tools {
		if t.Type != "" && t.Type != "custom" {
			continue // a tool of Anthropic's own, which this model never calls
		}
		at := fmt.Sprintf("tools.%d.custom", i)
		if !anthropicToolName.MatchString(t.Name) {
			return badRequest("", "%s.name: String should match pattern '%s'", at, anthropicToolName)
		}
		var schema struct {
			Type string `json:"type"`
		}
		if isNull(t.InputSchema) {
			return badRequest("", "%s.input_schema: Field required", at)
		}
		if json.Unmarshal(t.InputSchema, &schema) != nil || schema.Type != "object" {
			return badRequest("", "%s.input_schema.type: Input should be 'object'", at)
		}
		q.tools = append(q.tools, tool{name: t.Name, schema: t.InputSchema})
	}
	return nil
}

func (r *anthropicRequest) readToolChoice(q *question) *problem {
	if r.ToolChoice == nil {
		return nil
	}
	if len(r.Tools) == 0 {
		return badRequest("", "tool_choice: may only be specified while providing tools")
	}
	q.single = r.ToolChoice.DisableParallelToolUse
	switch r.ToolChoice.Type {
	case "auto":
	case "none":
		q.choice.none = true
	case "any":
		q.choice.force = true
	case "tool":
		q.choice = toolChoice{force: true, name: r.ToolChoice.Name}
		if !slices.ContainsFunc(r.Tools, func(t anthropicTool) bool { return t.Name == r.ToolChoice.Name }) {
			return badRequest("", "tool_choice.tool.name: Tool '%s' not found in provided tools", r.ToolChoice.Name)
		}
	default:
		return badRequest("", "tool_choice: Input tag '%s' found using 'type' does not match any of the expected tags: "+
			"'auto', 'any', 'tool', 'none'", r.ToolChoice.Type)
	}
	if q.choice.force && r.thinks() {
		return badRequest("", "Thinking may not be enabled when tool_choice forces tool use.")
	}
	return nil
}
