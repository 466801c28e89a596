package conformance_test

import (
	"encoding/json"
	"fmt"
	"strings"
)

// What providers are asked, read out of the requests that they get: one reader
// for each wire format, made without the gateway's codecs.

// readers are by format. A reader panics where a request is not what its
// format's documentation promises.
var readers = map[string]func(body []byte) asks{
	"openai": askedOpenAI, "sap": askedSAP, "responses": askedResponses, "anthropic": askedAnthropic, "gemini": askedGemini,
	"converse": askedConverse, "cohere2": askedCohere2, "cohere1": askedCohere1, "mosaicml": askedPrompt, "palm": askedPalm,
	"mlflow-serving": askedServing,
}

// asked reads a request of a format.
func asked(format string, body []byte) (a asks, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	if read, ok := readers[format]; ok {
		a = read(body)
		a.Choice = choiceOf(body)
		a.Candidates = intAt(body, "n", "generationConfig.candidateCount", sapParams+"n")
		a.Seed = intAt(body, "seed", "generationConfig.seed", "random_seed", sapParams+"seed", "additionalModelRequestFields.seed")
		if n := gjsonAt(body, "top_p", "generationConfig.topP", "inferenceConfig.topP", "p", sapParams+"top_p"); n.Exists() {
			a.TopP = &n.Num
		}
		return a, nil
	}
	return askedByPath(format, body), nil
}

func parse(b []byte, into any) {
	if err := json.Unmarshal(b, into); err != nil {
		panic(err)
	}
}

func demand(ok bool, format string, args ...any) {
	if !ok {
		panic(fmt.Sprintf(format, args...))
	}
}

// valueOf is a tool's result as JSON: text that is JSON is that.
func valueOf(text string) json.RawMessage {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	b, _ := json.Marshal(text)
	return b
}

// dataURL is the image in a data URL.
func dataURL(url string) string {
	if strings.HasPrefix(url, "https://") {
		return url
	}
	rest, ok := strings.CutPrefix(url, "data:")
	demand(ok, "an image has the URL %q", url)
	return strings.Replace(rest, ";base64,", ";", 1)
}

type openAIPart struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	ImageURL struct {
		URL string `json:"url"`
	} `json:"image_url"`
	Document struct {
		Data string `json:"data"`
	} `json:"document"`
}

// openAIParts reads content that is text or a list.
func openAIParts(raw json.RawMessage) []openAIPart {
	var s *string
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	if raw[0] == '"' {
		parse(raw, &s)
		return []openAIPart{{Type: "text", Text: *s}}
	}
	var parts []openAIPart
	parse(raw, &parts)
	return parts
}

func textOf(parts []openAIPart) (all string) {
	for _, p := range parts {
		if p.Type == "document" { // Cohere's form of a tool's result
			all += p.Document.Data
		}
		all += p.Text
	}
	return all
}

type openAITools []struct {
	Type     string `json:"type"`
	Function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
	} `json:"function"`
}

type openAIFormat struct {
	Type       string `json:"type"`
	JSONSchema struct {
		Schema json.RawMessage `json:"schema"`
	} `json:"json_schema"`
}

// openAIAsk is a chat completion's request, and Cohere's of version 2, which
// is like it.
type openAIAsk struct {
	Model         string          `json:"model"`
	Messages      []openAIMessage `json:"messages"`
	Tools         openAITools     `json:"tools"`
	Format        *openAIFormat   `json:"response_format"`
	Stop          json.RawMessage `json:"stop"`
	StopSequences []string        `json:"stop_sequences"`
	MaxTokens     *int64          `json:"max_tokens"`
	MaxCompletion *int64          `json:"max_completion_tokens"`
	Temperature   *float64        `json:"temperature"`
	Stream        bool            `json:"stream"`
}

type openAIMessage struct {
	Role       string          `json:"role"`
	Content    json.RawMessage `json:"content"`
	ToolPlan   string          `json:"tool_plan"` // Cohere's text beside calls
	ToolCallID string          `json:"tool_call_id"`
	ToolCalls  []struct {
		ID       string `json:"id"`
		Function struct {
			Name      string `json:"name"`
			Arguments string `json:"arguments"`
		} `json:"function"`
	} `json:"tool_calls"`
}

func askedOpenAI(body []byte) asks {
	var r openAIAsk
	parse(body, &r)
	return r.asks()
}

func (r openAIAsk) asks() asks {
	a := asks{model: r.Model, stream: r.Stream, MaxTokens: r.MaxTokens, Temperature: r.Temperature, Stop: r.StopSequences}
	if r.MaxCompletion != nil {
		a.MaxTokens = r.MaxCompletion
	}
	if len(r.Stop) > 0 && string(r.Stop) != "null" {
		parse(r.Stop, &a.Stop)
	}
	for _, m := range r.Messages {
		m.addTo(&a)
	}
	for _, t := range r.Tools {
		demand(t.Type == "function", "a tool has the type %q", t.Type)
		a.Tools = append(a.Tools, tool{t.Function.Name, t.Function.Description, t.Function.Parameters})
	}
	if r.Format != nil && r.Format.Type == "json_schema" {
		a.Schema = r.Format.JSONSchema.Schema
	}
	return a
}

// askedCohere2 reads a chat of Cohere's version 2, which is like OpenAI's save
// where the schema is.
func askedCohere2(body []byte) asks {
	a := askedOpenAI(body)
	var r struct {
		Format struct {
			Type   string          `json:"type"`
			Schema json.RawMessage `json:"json_schema"`
		} `json:"response_format"`
	}
	parse(body, &r)
	demand(r.Format.Schema == nil || r.Format.Type == "json_object", "a schema stands in the format %q", r.Format.Type)
	a.Schema = r.Format.Schema
	return a
}

func (m openAIMessage) addTo(a *asks) {
	parts := openAIParts(m.Content)
	switch m.Role {
	case "system", "developer":
		a.System += textOf(parts)
	case "tool":
		t := a.add("user")
		t.Results = append(t.Results, result{m.ToolCallID, valueOf(textOf(parts))})
	case "user", "assistant":
		t := a.add(m.Role)
		t.Text += m.ToolPlan + textOf(parts)
		for _, p := range parts {
			if p.Type == "image_url" {
				t.Images = append(t.Images, dataURL(p.ImageURL.URL))
			}
		}
		for _, c := range m.ToolCalls {
			t.Calls = append(t.Calls, toolUse{c.ID, c.Function.Name, json.RawMessage(c.Function.Arguments)})
		}
	default:
		panic("a message has the role " + m.Role)
	}
}

// askedSAP reads a request of SAP's orchestration service.
func askedSAP(body []byte) asks {
	var r struct {
		Config struct {
			Modules struct {
				Templating struct {
					Prompt struct {
						Template []openAIMessage `json:"template"`
						Tools    openAITools     `json:"tools"`
						Format   *openAIFormat   `json:"response_format"`
					} `json:"prompt"`
					Model struct {
						Name   string    `json:"name"`
						Params openAIAsk `json:"params"`
					} `json:"model"`
				} `json:"prompt_templating"`
			} `json:"modules"`
			Stream struct {
				Enabled bool `json:"enabled"`
			} `json:"stream"`
		} `json:"config"`
	}
	parse(body, &r)
	t := r.Config.Modules.Templating
	o := t.Model.Params
	o.Model, o.Messages, o.Stream = t.Model.Name, t.Prompt.Template, r.Config.Stream.Enabled
	if t.Prompt.Tools != nil {
		o.Tools = t.Prompt.Tools
	}
	if t.Prompt.Format != nil {
		o.Format = t.Prompt.Format
	}
	return o.asks()
}

func askedResponses(body []byte) asks {
	var r struct {
		Model        string          `json:"model"`
		Instructions string          `json:"instructions"`
		Input        json.RawMessage `json:"input"`
		Stream       bool            `json:"stream"`
		MaxTokens    *int64          `json:"max_output_tokens"`
		Temperature  *float64        `json:"temperature"`
		Text         struct {
			Format struct {
				Schema json.RawMessage `json:"schema"`
			} `json:"format"`
		} `json:"text"`
		Tools []struct {
			Name        string          `json:"name"`
			Description string          `json:"description"`
			Parameters  json.RawMessage `json:"parameters"`
		} `json:"tools"`
	}
	parse(body, &r)
	a := asks{model: r.Model, stream: r.Stream, System: r.Instructions, MaxTokens: r.MaxTokens, Temperature: r.Temperature, Schema: r.Text.Format.Schema}
	for _, t := range r.Tools {
		a.Tools = append(a.Tools, tool{t.Name, t.Description, t.Parameters})
	}
	if r.Input[0] == '"' {
		parse(r.Input, &a.add("user").Text)
		return a
	}
	var items []struct {
		Type      string          `json:"type"`
		Role      string          `json:"role"`
		Content   json.RawMessage `json:"content"`
		CallID    string          `json:"call_id"`
		Name      string          `json:"name"`
		Arguments string          `json:"arguments"`
		Output    string          `json:"output"`
	}
	parse(r.Input, &items)
	for _, it := range items {
		switch it.Type {
		case "function_call":
			t := a.add("assistant")
			t.Calls = append(t.Calls, toolUse{it.CallID, it.Name, json.RawMessage(it.Arguments)})
			continue
		case "function_call_output":
			t := a.add("user")
			t.Results = append(t.Results, result{it.CallID, valueOf(it.Output)})
			continue
		}
		if it.Role == "developer" || it.Role == "system" {
			a.System += anthropicText(it.Content)
			continue
		}
		t := a.add(it.Role)
		if it.Content[0] == '"' {
			parse(it.Content, &t.Text)
			continue
		}
		var parts []struct {
			Text     string `json:"text"`
			ImageURL string `json:"image_url"`
		}
		parse(it.Content, &parts)
		for _, p := range parts {
			t.Text += p.Text
			if p.ImageURL != "" {
				t.Images = append(t.Images, dataURL(p.ImageURL))
			}
		}
	}
	return a
}

type anthropicBlock struct {
	Type      string          `json:"type"`
	Text      string          `json:"text"`
	Thinking  string          `json:"thinking"`
	Signature string          `json:"signature"`
	IsError   bool            `json:"is_error"`
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Input     json.RawMessage `json:"input"`
	ToolUseID string          `json:"tool_use_id"`
	Content   json.RawMessage `json:"content"`
	Source    struct {
		Type      string `json:"type"`
		MediaType string `json:"media_type"`
		URL       string `json:"url"`
		Data      string `json:"data"`
	} `json:"source"`
}

func anthropicBlocks(raw json.RawMessage) []anthropicBlock {
	if len(raw) == 0 {
		return nil
	}
	if raw[0] == '"' {
		b := anthropicBlock{Type: "text"}
		parse(raw, &b.Text)
		return []anthropicBlock{b}
	}
	var list []anthropicBlock
	parse(raw, &list)
	return list
}

func anthropicText(raw json.RawMessage) (all string) {
	for _, b := range anthropicBlocks(raw) {
		all += b.Text
	}
	return all
}

func askedAnthropic(body []byte) asks {
	var r struct {
		Model    string          `json:"model"`
		System   json.RawMessage `json:"system"`
		Messages []struct {
			Role    string          `json:"role"`
			Content json.RawMessage `json:"content"`
		} `json:"messages"`
		Tools []struct {
			Name        string          `json:"name"`
			Description string          `json:"description"`
			Schema      json.RawMessage `json:"input_schema"`
		} `json:"tools"`
		Stop        []string `json:"stop_sequences"`
		MaxTokens   *int64   `json:"max_tokens"`
		Temperature *float64 `json:"temperature"`
		Stream      bool     `json:"stream"`
		Output      struct {
			Format struct {
				Schema json.RawMessage `json:"schema"`
			} `json:"format"`
		} `json:"output_config"`
	}
	parse(body, &r)
	demand(r.MaxTokens != nil, "max_tokens is missing, which the API needs")
	a := asks{model: r.Model, stream: r.Stream, System: anthropicText(r.System), Stop: r.Stop, MaxTokens: r.MaxTokens, Temperature: r.Temperature,
		Schema: r.Output.Format.Schema, joined: true, signs: true}
	for _, m := range r.Messages {
		t := a.add(m.Role)
		if blocks := anthropicBlocks(m.Content); len(blocks) > 0 && blocks[0].Type != "tool_result" {
			t.Text = strings.TrimSuffix(t.Text, again)
		}
		for _, b := range anthropicBlocks(m.Content) {
			switch b.Type {
			case "text":
				t.Text += b.Text
			case "image":
				t.Images = append(t.Images, b.Source.MediaType+";"+b.Source.Data)
				if b.Source.Type == "url" {
					t.Images[len(t.Images)-1] = b.Source.URL
				}
			case "tool_use":
				t.Calls = append(t.Calls, toolUse{b.ID, b.Name, b.Input})
			case "thinking":
				a.Thinking = append(a.Thinking, b.Thinking+" "+b.Signature)
			case "tool_result":
				a.Failed = a.Failed || b.IsError
				t.Results = append(t.Results, result{b.ToolUseID, valueOf(anthropicText(b.Content))})
			default:
				panic("a block has the type " + b.Type)
			}
		}
	}
	for _, t := range r.Tools {
		a.Tools = append(a.Tools, tool{t.Name, t.Description, t.Schema})
	}
	return a
}
