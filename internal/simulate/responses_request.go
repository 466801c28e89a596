package simulate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// The parameters of the Responses API.
var (
	responsesNames = []string{"access_programs", "background", "background_options", "client_metadata", "context_management", "conversation",
		"image", "include", "input", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "model", "moderation",
		"parallel_tool_calls", "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_options",
		"prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "store", "stream", "stream_options",
		"temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user"}
	responsesCompactNames = []string{"image", "input", "instructions", "model", "previous_response_id", "prompt_cache_key",
		"prompt_cache_options", "prompt_cache_retention", "service_tier"}
	responsesCountNames = []string{"conversation", "input", "instructions", "model", "parallel_tool_calls", "personality",
		"previous_response_id", "reasoning", "text", "tool_choice", "tools", "truncation"}
)

// hostedTools are OpenAI's own tools, which a stand-in never calls.
var hostedTools = []string{"apply_patch", "code_interpreter", "computer", "computer_use_preview", "file_search",
	"image_generation", "local_shell", "mcp", "namespace", "shell", "tool_search", "web_search", "web_search_2025_08_26",
	"web_search_preview", "web_search_preview_2025_03_11"}

type responsesRequest struct {
	Model             string          `json:"model"`
	Input             json.RawMessage `json:"input"`
	Instructions      *string         `json:"instructions"`
	MaxOutputTokens   *int            `json:"max_output_tokens"`
	Stream            bool            `json:"stream"`
	Store             *bool           `json:"store"`
	Temperature       *float64        `json:"temperature"`
	TopP              *float64        `json:"top_p"`
	ParallelToolCalls *bool           `json:"parallel_tool_calls"`
	Include           []string        `json:"include"`
	PreviousID        string          `json:"previous_response_id"`
	Metadata          json.RawMessage `json:"metadata"`
	Tools             []responsesTool `json:"tools"`
	ToolChoice        json.RawMessage `json:"tool_choice"`
	Reasoning         *struct {
		Effort  *string `json:"effort"`
		Summary *string `json:"summary"`
	} `json:"reasoning"`
	Text *struct {
		Format *struct {
			Type   string          `json:"type"`
			Name   string          `json:"name"`
			Schema json.RawMessage `json:"schema"`
		} `json:"format"`
	} `json:"text"`
}

type responsesTool struct {
	Type       string          `json:"type"`
	Name       string          `json:"name"`
	Parameters json.RawMessage `json:"parameters"`
}

// question checks a Responses request and returns what it asks.
func (r *responsesRequest) question(body []byte) (*question, *problem) {
	q := &question{model: r.Model, stream: r.Stream, choices: 1, seed: body,
		single: r.ParallelToolCalls != nil && !*r.ParallelToolCalls}
	if r.MaxOutputTokens != nil {
		q.maxWords = *r.MaxOutputTokens
	}
	if r.Instructions != nil {
		q.words = countWords(*r.Instructions)
	}
	return q, first(inRange("temperature", r.Temperature, 0, 2), inRange("top_p", r.TopP, 0, 1),
		integerInRange("max_output_tokens", r.MaxOutputTokens, 16, 1<<31), r.checkReferences(),
		r.readTools(q), r.readToolChoice(q), r.readFormat(q), r.readInput(q))
}

// checkReferences: this stand-in keeps no responses.
func (r *responsesRequest) checkReferences() *problem {
	if r.PreviousID == "" {
		return nil
	}
	p := badRequest("previous_response_id", "Previous response with id '%s' not found.", r.PreviousID)
	p.code = "previous_response_not_found"
	return p
}

func (r *responsesRequest) readTools(q *question) *problem {
	for i, t := range r.Tools {
		at := fmt.Sprintf("tools[%d]", i)
		switch {
		case t.Type == "function" || t.Type == "custom":
			if !openAIToolName.MatchString(t.Name) {
				return badRequest(at+".name", "Invalid '%s.name': does not match '%s'.", at, openAIToolName)
			}
			q.tools = append(q.tools, tool{name: t.Name, schema: t.Parameters, free: t.Type == "custom"})
		case !slices.Contains(hostedTools, t.Type):
			return badRequest(at+".type", "Invalid value: '%s'. Supported values are: 'function', 'custom', '%s'.",
				t.Type, strings.Join(hostedTools, "', '"))
		}
	}
	return nil
}

func (r *responsesRequest) readToolChoice(q *question) *problem {
	if isNull(r.ToolChoice) {
		return nil
	}
	var word string
	if json.Unmarshal(r.ToolChoice, &word) == nil {
		switch word {
		case "none":
			q.choice.none = true
		case "required":
			q.choice.force = true
		case "auto":
		default:
			return badRequest("tool_choice", "Invalid value: '%s'. Supported values are: 'none', 'auto', and 'required'.", word)
		}
		return nil
	}
	var named struct {
		Type  string          `json:"type"`
		Name  string          `json:"name"`
		Mode  string          `json:"mode"`
		Tools []responsesTool `json:"tools"`
	}
	if json.Unmarshal(r.ToolChoice, &named) != nil {
		return badRequest("tool_choice", "Invalid type for 'tool_choice': expected a string or an object.")
	}
	switch {
	case named.Type == "allowed_tools":
		q.choice.force = named.Mode == "required"
		q.tools = slices.DeleteFunc(q.tools, func(t tool) bool {
			return !slices.ContainsFunc(named.Tools, func(a responsesTool) bool { return a.Name == t.name })
		})
	case named.Type == "function" || named.Type == "custom":
		q.choice = toolChoice{force: true, name: named.Name}
		if _, ok := forcedTool(q); !ok || named.Name == "" {
			return badRequest("tool_choice", "Tool choice '%s' not found in 'tools' parameter.", named.Type)
		}
	case !slices.Contains(hostedTools, named.Type):
		return badRequest("tool_choice.type", "Invalid value: '%s'.", named.Type)
	}
	return nil
}

func (r *responsesRequest) readFormat(q *question) *problem {
	if r.Text == nil || r.Text.Format == nil {
		return nil
	}
	switch f := r.Text.Format; f.Type {
	case "text":
	case "json_object":
		q.schema = json.RawMessage("{}")
	case "json_schema":
		if f.Name == "" || isNull(f.Schema) {
			return badRequest("text.format.name", "Missing required parameter: 'text.format.name' or 'text.format.schema'.")
		}
		q.schema = f.Schema
	default:
		return badRequest("text.format.type", "Invalid value: '%s'. Supported values are: 'json_object', 'json_schema', "+
			"and 'text'.", f.Type)
	}
	return nil
}

// wantsEncrypted reports whether reasoning is to come back in the reply.
func (r *responsesRequest) wantsEncrypted() bool {
	return slices.Contains(r.Include, "reasoning.encrypted_content")
}

// reasons reports whether the answer starts with a reasoning item.
func (r *responsesRequest) reasons() bool {
	return r.Reasoning != nil && (r.Reasoning.Effort == nil || *r.Reasoning.Effort != "none")
}
