package simulate

import (
	"encoding/json"
	"fmt"
	"regexp"
)

// The parameters of the API reference.
var (
	openAIChatNames = []string{"audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs",
		"max_completion_tokens", "max_tokens", "messages", "metadata", "modalities", "model", "moderation", "n",
		"parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options",
		"prompt_cache_retention", "reasoning_effort", "response_format",
		"safety_identifier", "seed", "service_tier", "stop", "store", "stream", "stream_options", "temperature",
		"tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity", "web_search_options"}
	openAICompletionNames = []string{"best_of", "echo", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "model",
		"n", "presence_penalty", "prompt", "seed", "stop", "stream", "stream_options", "suffix", "temperature", "top_p", "user"}
	openAIEmbeddingNames = []string{"dimensions", "encoding_format", "input", "model", "user"}
)

// openAISampling is what chat and completions share.
type openAISampling struct {
	Model            string          `json:"model"`
	Stop             json.RawMessage `json:"stop"`
	MaxTokens        *int            `json:"max_tokens"`
	N                *int            `json:"n"`
	Stream           bool            `json:"stream"`
	StreamOptions    *streamOptions  `json:"stream_options"`
	Temperature      *float64        `json:"temperature"`
	TopP             *float64        `json:"top_p"`
	PresencePenalty  *float64        `json:"presence_penalty"`
	FrequencyPenalty *float64        `json:"frequency_penalty"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

func (s *openAISampling) check() *problem {
	if s.StreamOptions != nil && !s.Stream {
		return badRequest("stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
	}
	return first(
		inRange("temperature", s.Temperature, 0, 2), inRange("top_p", s.TopP, 0, 1),
		inRange("presence_penalty", s.PresencePenalty, -2, 2), inRange("frequency_penalty", s.FrequencyPenalty, -2, 2),
		integerInRange("n", s.N, 1, 128), integerInRange("max_tokens", s.MaxTokens, 1, 1<<31))
}

func integerInRange(name string, v *int, low, high int) *problem {
	if v == nil {
		return nil
	}
	f := float64(*v)
	return inRange(name, &f, float64(low), float64(high))
}

func (s *openAISampling) includeUsage() bool {
	return s.StreamOptions != nil && s.StreamOptions.IncludeUsage
}

// question starts a question with what the sampling parameters say.
func (s *openAISampling) question(body []byte) (*question, *problem) {
	q := &question{model: s.Model, stream: s.Stream, choices: 1, seed: body}
	if s.N != nil {
		q.choices = *s.N
	}
	if s.MaxTokens != nil {
		q.maxWords = *s.MaxTokens
	}
	var p *problem
	q.stop, p = stopSequences(s.Stop)
	return q, p
}

// stopSequences reads stop: a string, or up to four of them.
func stopSequences(raw json.RawMessage) ([]string, *problem) {
	if isNull(raw) {
		return nil, nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}, nil
	}
	var many []string
	if json.Unmarshal(raw, &many) != nil || len(many) > 4 {
		return nil, badRequest("stop", "Invalid 'stop': expected a string or an array of at most 4 strings.")
	}
	return many, nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

type openAIChat struct {
	openAISampling
	Messages            []openAIMessage `json:"messages"`
	MaxCompletionTokens *int            `json:"max_completion_tokens"`
	Tools               []openAITool    `json:"tools"`
	ToolChoice          json.RawMessage `json:"tool_choice"`
	ParallelToolCalls   *bool           `json:"parallel_tool_calls"`
	ResponseFormat      *struct {
		Type       string `json:"type"`
		JSONSchema *struct {
			Name   string          `json:"name"`
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	} `json:"response_format"`
}

type openAITool struct {
	Type     string `json:"type"`
	Function struct {
		Name       string          `json:"name"`
		Parameters json.RawMessage `json:"parameters"`
	} `json:"function"`
}

var openAIToolName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// question checks a chat request and returns what it asks.
func (c *openAIChat) question(body []byte) (*question, *problem) {
	if c.MaxTokens != nil && c.MaxCompletionTokens != nil {
		return nil, badRequest("max_tokens", "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
	}
	if c.MaxTokens == nil {
		c.MaxTokens = c.MaxCompletionTokens
	}
	q, p := c.openAISampling.question(body)
	if p := first(p, c.check(), checkOpenAIMessages(c.Messages), c.readTools(q), c.readToolChoice(q),
		c.readFormat(q)); p != nil {
		return nil, p
	}
	q.single = c.ParallelToolCalls != nil && !*c.ParallelToolCalls
	readOpenAIMessages(q, c.Messages)
	return q, nil
}

func (c *openAIChat) readTools(q *question) *problem {
	for i, t := range c.Tools {
		at := fmt.Sprintf("tools[%d]", i)
		if t.Type != "function" {
			return badRequest(at+".type", "Invalid value: '%s'. Supported values are: 'function'.", t.Type)
		}
		if !openAIToolName.MatchString(t.Function.Name) {
			return badRequest(at+".function.name", "Invalid '%s.function.name': does not match '%s'.", at, openAIToolName)
		}
		q.tools = append(q.tools, tool{name: t.Function.Name, schema: t.Function.Parameters})
	}
	return nil
}

func (c *openAIChat) readToolChoice(q *question) *problem {
	if isNull(c.ToolChoice) {
		return nil
	}
	if len(c.Tools) == 0 {
		return badRequest("tool_choice", "'tool_choice' is only allowed when 'tools' are specified.")
	}
	var named struct {
		Type     string                `json:"type"`
		Function struct{ Name string } `json:"function"`
	}
	if json.Unmarshal(c.ToolChoice, &named) == nil {
		q.choice = toolChoice{force: true, name: named.Function.Name}
		if _, ok := forcedTool(q); named.Type != "function" || named.Function.Name == "" || !ok {
			return badRequest("tool_choice", "Tool choice '%s' not found in 'tools' parameter.", named.Function.Name)
		}
		return nil
	}
	switch string(c.ToolChoice) {
	case `"none"`:
		q.choice.none = true
	case `"required"`:
		q.choice.force = true
	case `"auto"`:
	default:
		return badRequest("tool_choice", "Invalid value: %s. Supported values are: 'none', 'auto', and 'required'.", c.ToolChoice)
	}
	return nil
}

func (c *openAIChat) readFormat(q *question) *problem {
	if c.ResponseFormat == nil {
		return nil
	}
	switch c.ResponseFormat.Type {
	case "text":
	case "json_object":
		q.schema = json.RawMessage("{}")
	case "json_schema":
		if c.ResponseFormat.JSONSchema == nil || c.ResponseFormat.JSONSchema.Name == "" {
			return badRequest("response_format.json_schema", "Missing required parameter: 'response_format.json_schema'.")
		}
		q.schema = c.ResponseFormat.JSONSchema.Schema
	default:
		return badRequest("response_format.type", "Invalid value: '%s'. Supported values are: 'json_object', "+
			"'json_schema', and 'text'.", c.ResponseFormat.Type)
	}
	return nil
}
