package simulate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

type openAIMessage struct {
	Role       string           `json:"role"`
	Content    json.RawMessage  `json:"content"`
	ToolCallID string           `json:"tool_call_id"`
	ToolCalls  []openAIToolCall `json:"tool_calls"`
}

type openAIToolCall struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string  `json:"name"`
		Arguments *string `json:"arguments"`
	} `json:"function"`
}

type openAIPart struct {
	Type     string  `json:"type"`
	Text     *string `json:"text"`
	ImageURL *struct {
		URL string `json:"url"`
	} `json:"image_url"`
}

var openAIRoles = []string{"system", "assistant", "user", "function", "tool", "developer"}

func checkOpenAIMessages(messages []openAIMessage) *problem {
	if len(messages) == 0 {
		return badRequest("messages", "Invalid 'messages': empty array. Expected an array with minimum length 1, "+
			"but got an empty array instead.")
	}
	var open []string // tool calls not yet answered
	for i, m := range messages {
		at := fmt.Sprintf("messages[%d]", i)
		if !slices.Contains(openAIRoles, m.Role) {
			return badRequest(at+".role", "Invalid value: '%s'. Supported values are: '%s'.",
				m.Role, strings.Join(openAIRoles, "', '"))
		}
		if p := first(checkOpenAIContent(at, m), checkToolTurn(at, m, open), checkToolCalls(at, m)); p != nil {
			return p
		}
		if m.Role == "tool" {
			open = slices.DeleteFunc(open, func(id string) bool { return id == m.ToolCallID })
		}
		for _, c := range m.ToolCalls {
			open = append(open, c.ID)
		}
	}
	if len(open) > 0 {
		return unansweredCalls(open)
	}
	return nil
}

func unansweredCalls(open []string) *problem {
	return badRequest("messages", "An assistant message with 'tool_calls' must be followed by tool messages responding to "+
		"each 'tool_call_id'. The following tool_call_ids did not have response messages: %s", strings.Join(open, ", "))
}

// checkToolTurn holds tool messages against the calls they answer.
func checkToolTurn(at string, m openAIMessage, open []string) *problem {
	if m.Role != "tool" {
		if len(open) > 0 {
			return unansweredCalls(open)
		}
		return nil
	}
	if m.ToolCallID == "" {
		return badRequest(at+".tool_call_id", "Missing parameter 'tool_call_id': "+
			"messages with role 'tool' must have a 'tool_call_id'.")
	}
	if !slices.Contains(open, m.ToolCallID) {
		return badRequest(at+".role", "Invalid parameter: messages with role 'tool' must be a response to a preceeding "+
			"message with 'tool_calls'.")
	}
	return nil
}

func checkToolCalls(at string, m openAIMessage) *problem {
	for i, c := range m.ToolCalls {
		if c.ID == "" || c.Type != "function" || c.Function.Name == "" || c.Function.Arguments == nil {
			return badRequest(fmt.Sprintf("%s.tool_calls[%d]", at, i),
				"Missing required parameter: '%s.tool_calls[%d]' needs id, type, function.name and function.arguments.", at, i)
		}
	}
	return nil
}

func checkOpenAIContent(at string, m openAIMessage) *problem {
	if isNull(m.Content) {
		if m.Role == "assistant" {
			return nil
		}
		return badRequest(at+".content", "Invalid value for 'content': expected a string, got null.")
	}
	var text string
	if json.Unmarshal(m.Content, &text) == nil {
		return nil
	}
	var parts []openAIPart
	if json.Unmarshal(m.Content, &parts) != nil || len(parts) == 0 {
		return badRequest(at+".content", "Invalid type for '%s.content': expected one of a string or array of objects.", at)
	}
	for i, part := range parts {
		if p := checkOpenAIPart(fmt.Sprintf("%s.content[%d]", at, i), part); p != nil {
			return p
		}
	}
	return nil
}

func checkOpenAIPart(at string, part openAIPart) *problem {
	switch part.Type {
	case "text":
		if part.Text == nil {
			return badRequest(at+".text", "Missing required parameter: '%s.text'.", at)
		}
	case "image_url":
		if part.ImageURL == nil || !isImageURL(part.ImageURL.URL) {
			return badRequest(at+".image_url", "Invalid image URL: '%s.image_url.url'. "+
				"Expected a valid URL, but got a value with an invalid format.", at)
		}
	case "input_audio", "file", "refusal":
	default:
		return badRequest(at+".type", "Invalid value: '%s'. Supported values are: 'text', 'image_url', 'input_audio', "+
			"'refusal', 'file'.", part.Type)
	}
	return nil
}

func isImageURL(url string) bool {
	return strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://") || strings.HasPrefix(url, "data:image/")
}

// readOpenAIMessages puts into q what checked messages say.
func readOpenAIMessages(q *question, messages []openAIMessage) {
	for i, m := range messages {
		text, images := openAIContent(m.Content)
		q.words += countWords(text)
		if i == len(messages)-1 {
			q.text, q.images, q.toolResult = text, images, m.Role == "tool"
		}
	}
}

// openAIContent joins the text parts of a message's content by a space.
func openAIContent(raw json.RawMessage) (text string, images int) {
	if json.Unmarshal(raw, &text) == nil {
		return text, 0
	}
	var parts []openAIPart
	_ = json.Unmarshal(raw, &parts) // checked before
	var texts []string
	for _, part := range parts {
		switch {
		case part.Text != nil:
			texts = append(texts, *part.Text)
		case part.ImageURL != nil:
			images++
		}
	}
	return strings.Join(texts, " "), images
}
