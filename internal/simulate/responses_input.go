package simulate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// responsesItem is an item of the input: the fields that are checked.
type responsesItem struct {
	Type      string          `json:"type"`
	ID        string          `json:"id"`
	Role      string          `json:"role"`
	Content   json.RawMessage `json:"content"`
	CallID    string          `json:"call_id"`
	Name      string          `json:"name"`
	Arguments *string         `json:"arguments"`
	Input     *string         `json:"input"`
	Output    json.RawMessage `json:"output"`
	Summary   *[]struct {
		Text string `json:"text"`
	} `json:"summary"`
	Encrypted *string `json:"encrypted_content"`
}

type responsesPart struct {
	Type     string  `json:"type"`
	Text     *string `json:"text"`
	ImageURL string  `json:"image_url"`
	FileID   string  `json:"file_id"`
}

// passedItems are kinds of items that are taken as they are.
var passedItems = []string{"item_reference", "web_search_call", "file_search_call", "code_interpreter_call",
	"image_generation_call", "computer_call", "computer_call_output", "local_shell_call", "local_shell_call_output",
	"shell_call", "shell_call_output", "apply_patch_call", "apply_patch_call_output", "mcp_list_tools", "mcp_call",
	"mcp_approval_request", "mcp_approval_response", "additional_tools", "tool_search_call", "tool_search_output"}

// readInput checks the input and puts what it says into q. The last item is
// quoted.
func (r *responsesRequest) readInput(q *question) *problem {
	var text string
	if json.Unmarshal(r.Input, &text) == nil && !isNull(r.Input) {
		q.text = text
		q.words += countWords(text)
		return nil
	}
	var items []responsesItem
	if json.Unmarshal(r.Input, &items) != nil || isNull(r.Input) {
		return badRequest("input", "Missing required parameter: 'input', a string or an array of items.")
	}
	var asked, answered []string // ids of calls
	for i, item := range items {
		at := fmt.Sprintf("input[%d]", i)
		if p := first(checkResponsesItem(at, item), readResponsesItem(q, at, item)); p != nil {
			return p
		}
		switch item.Type {
		case "function_call", "custom_tool_call":
			asked = append(asked, item.CallID)
		case "function_call_output", "custom_tool_call_output":
			if !slices.Contains(asked, item.CallID) {
				return badRequest("input", "No tool call found for function call output with call_id %s.", item.CallID)
			}
			answered = append(answered, item.CallID)
		}
	}
	for _, id := range asked {
		if !slices.Contains(answered, id) {
			return badRequest("input", "No tool output found for function call %s.", id)
		}
	}
	return nil
}

func checkResponsesItem(at string, item responsesItem) *problem {
	switch item.Type {
	case "", "message":
		if !slices.Contains([]string{"user", "assistant", "system", "developer"}, item.Role) {
			return badRequest(at+".role", "Invalid value: '%s'. Supported values are: 'assistant', 'system', 'developer', "+
				"and 'user'.", item.Role)
		}
	case "function_call":
		if item.CallID == "" || item.Name == "" || item.Arguments == nil {
			return badRequest(at, "Missing required parameter: '%s' needs call_id, name and arguments.", at)
		}
	case "custom_tool_call":
		if item.CallID == "" || item.Name == "" || item.Input == nil {
			return badRequest(at, "Missing required parameter: '%s' needs call_id, name and input.", at)
		}
	case "function_call_output", "custom_tool_call_output":
		if item.CallID == "" || isNull(item.Output) {
			return badRequest(at+".output", "Missing required parameter: '%s.output'.", at)
		}
	case "reasoning":
		return checkReasoningItem(at, item)
	case "compaction":
		return checkEnclosed(at, item.Encrypted)
	default:
		if !slices.Contains(passedItems, item.Type) {
			return badRequest(at, "Invalid value: '%s' in '%s.type'.", item.Type, at)
		}
	}
	return nil
}

func checkReasoningItem(at string, item responsesItem) *problem {
	switch {
	case item.Summary == nil:
		return badRequest(at+".summary", "Missing required parameter: '%s.summary'.", at)
	case item.Encrypted != nil:
		return checkEnclosed(at, item.Encrypted)
	}
	return nil
}

func checkEnclosed(at string, content *string) *problem {
	if content != nil {
		if _, ok := disclose(openAISeal, *content); ok {
			return nil
		}
	}
	p := badRequest("", "The encrypted content of %s could not be verified. Reason: Encrypted content could not be "+
		"decrypted or parsed.", at)
	p.code = "invalid_encrypted_content"
	return p
}

// readResponsesItem puts into q what a checked item says.
func readResponsesItem(q *question, at string, item responsesItem) *problem {
	raw, output := item.Content, false
	switch item.Type {
	case "", "message":
	case "function_call_output", "custom_tool_call_output":
		raw, output = item.Output, true
	default:
		return nil
	}
	text, images, p := responsesContent(at, item.Role, raw)
	q.words += countWords(text)
	if output && q.toolResult {
		text = q.text + " " + text // results in parallel
	}
	q.text, q.images, q.toolResult = text, images, output
	return p
}

// responsesContent reads content: a string, or parts, whose kinds depend on who
// speaks.
func responsesContent(at, role string, raw json.RawMessage) (text string, images int, p *problem) {
	if json.Unmarshal(raw, &text) == nil && !isNull(raw) {
		return text, 0, nil
	}
	var parts []responsesPart
	if json.Unmarshal(raw, &parts) != nil || isNull(raw) {
		return "", 0, badRequest(at+".content", "Invalid type for '%s.content': expected one of an array of objects or string.", at)
	}
	allowed := []string{"input_text", "input_image", "input_file", "input_audio"}
	if role == "assistant" {
		allowed = []string{"output_text", "refusal"}
	}
	var texts []string
	for i, part := range parts {
		here := fmt.Sprintf("%s.content[%d]", at, i)
		if !slices.Contains(allowed, part.Type) {
			return "", 0, badRequest(here, "Invalid value: '%s'. Supported values are: '%s'.", part.Type, strings.Join(allowed, "', '"))
		}
		switch part.Type {
		case "input_text", "output_text":
			if part.Text == nil {
				return "", 0, badRequest(here+".text", "Missing required parameter: '%s.text'.", here)
			}
			texts = append(texts, *part.Text)
		case "input_image":
			if !isImageURL(part.ImageURL) && part.FileID == "" {
				return "", 0, badRequest(here+".image_url", "Invalid '%s.image_url'. Expected a valid URL, but got a value with "+
					"an invalid format.", here)
			}
			images++
		}
	}
	return strings.Join(texts, " "), images, nil
}
