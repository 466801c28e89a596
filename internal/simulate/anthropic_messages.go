package simulate

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

type anthropicMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// anthropicBlock is a content block of a request: the fields that are checked.
type anthropicBlock struct {
	Type      string          `json:"type"`
	Text      string          `json:"text"`
	Source    *anthropicImage `json:"source"`
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Input     json.RawMessage `json:"input"`
	ToolUseID string          `json:"tool_use_id"`
	Content   json.RawMessage `json:"content"`
	Thinking  *string         `json:"thinking"`
	Signature string          `json:"signature"`
	Data      string          `json:"data"` // of redacted thinking
}

type anthropicImage struct {
	Type      string `json:"type"`
	MediaType string `json:"media_type"`
	Data      string `json:"data"`
	URL       string `json:"url"`
	FileID    string `json:"file_id"`
}

// turn is what one side says: consecutive messages of a role, which the API
// takes as one.
type turn struct {
	role   string
	blocks []anthropicBlock
}

// readBlocks reads content: a string, or a list of blocks.
func readBlocks(raw json.RawMessage) (blocks []anthropicBlock, ok bool) {
	var text string
	if json.Unmarshal(raw, &text) == nil && !isNull(raw) {
		return []anthropicBlock{{Type: "text", Text: text}}, true
	}
	return blocks, json.Unmarshal(raw, &blocks) == nil && !isNull(raw)
}

// readTurns checks each message by itself and joins those of one role.
func readTurns(messages []anthropicMessage) ([]turn, *problem) {
	if len(messages) == 0 {
		return nil, badRequest("", "messages: at least one message is required")
	}
	var turns []turn
	for i, m := range messages {
		if m.Role != "user" && m.Role != "assistant" {
			return nil, badRequest("", "messages: Unexpected role %q. The Messages API accepts a top-level `system` parameter, "+
				"not \"system\" as an input message role.", m.Role)
		}
		blocks, ok := readBlocks(m.Content)
		if !ok {
			return nil, badRequest("", "messages.%d.content: Input should be a valid string or a valid list", i)
		}
		last := i == len(messages)-1
		if p := checkBlocks(i, m.Role, blocks, last); p != nil {
			return nil, p
		}
		if n := len(turns); n > 0 && turns[n-1].role == m.Role {
			turns[n-1].blocks = append(turns[n-1].blocks, blocks...)
			continue
		}
		turns = append(turns, turn{role: m.Role, blocks: blocks})
	}
	return turns, nil
}

func checkBlocks(index int, role string, blocks []anthropicBlock, last bool) *problem {
	empty := len(blocks) == 0 || (len(blocks) == 1 && blocks[0].Type == "text" && blocks[0].Text == "")
	if empty {
		if last && role == "assistant" {
			return nil
		}
		return badRequest("", "messages.%d: all messages must have non-empty content except for the optional final "+
			"assistant message", index)
	}
	for i, b := range blocks {
		if p := checkBlock(fmt.Sprintf("messages.%d.content.%d", index, i), role, b); p != nil {
			return p
		}
	}
	if last && role == "assistant" {
		if b := blocks[len(blocks)-1]; b.Type == "text" && strings.TrimSpace(b.Text) != strings.TrimLeft(b.Text, " \t\n") {
			return badRequest("", "messages: final assistant content cannot end with trailing whitespace")
		}
	}
	return nil
}

func checkBlock(at, role string, b anthropicBlock) *problem {
	switch b.Type {
	case "text":
		if strings.TrimSpace(b.Text) == "" {
			return badRequest("", "messages: text content blocks must contain non-whitespace text")
		}
	case "image":
		return checkImage(at, role, b)
	case "tool_use":
		if role != "assistant" {
			return badRequest("", "%s: `tool_use` blocks can only be in `assistant` messages", at)
		}
		var input map[string]any
		if !anthropicToolID(b.ID) || b.Name == "" || json.Unmarshal(b.Input, &input) != nil || input == nil {
			return badRequest("", "%s.tool_use: id, name and an object as input are required", at)
		}
	case "tool_result":
		if role != "user" {
			return badRequest("", "%s: `tool_result` blocks can only be in `user` messages", at)
		}
		if b.ToolUseID == "" {
			return badRequest("", "%s.tool_result.tool_use_id: Field required", at)
		}
	case "thinking", "redacted_thinking":
		return checkThought(at, role, b)
	case "document", "search_result", "server_tool_use", "web_search_tool_result":
	default:
		return badRequest("", "%s: Input tag '%s' found using 'type' does not match any of the expected tags", at, b.Type)
	}
	return nil
}

// checkThought refuses reasoning that is not the stand-in's own, unchanged.
func checkThought(at, role string, b anthropicBlock) *problem {
	if role != "assistant" {
		return badRequest("", "%s: `%s` blocks can only be in `assistant` messages", at, b.Type)
	}
	if b.Type == "redacted_thinking" {
		if _, ok := disclose(anthropicSeal, b.Data); !ok {
			return badRequest("", "%s: Invalid `data` in `redacted_thinking` block", at)
		}
		return nil
	}
	switch {
	case b.Thinking == nil:
		return badRequest("", "%s.thinking.thinking: Field required", at)
	case b.Signature == "":
		return badRequest("", "%s.thinking.signature: Field required", at)
	case !sealed(anthropicSeal, *b.Thinking, b.Signature):
		return badRequest("", "%s: Invalid `signature` in `thinking` block", at)
	}
	return nil
}

// checkThoughtFirst: with extended thinking the turn that called the tools whose
// results come last starts with its reasoning.
func checkThoughtFirst(turns []turn) *problem {
	n := len(turns)
	if n < 2 || !slices.ContainsFunc(turns[n-1].blocks, func(b anthropicBlock) bool { return b.Type == "tool_result" }) {
		return nil
	}
	switch found := turns[n-2].blocks[0].Type; found {
	case "thinking", "redacted_thinking":
		return nil
	default:
		return badRequest("", "messages.%d.content.0.type: Expected `thinking` or `redacted_thinking`, but found `%s`. When "+
			"`thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of "+
			"`tool_use` and `tool_result` blocks).", n-2, found)
	}
}

// anthropicToolID reports whether an id matches the API's ^[a-zA-Z0-9_-]+$.
func anthropicToolID(id string) bool {
	return id != "" && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	})
}

var imageTypes = []string{"image/jpeg", "image/png", "image/gif", "image/webp"}

func checkImage(at, role string, b anthropicBlock) *problem {
	if role != "user" {
		return badRequest("", "%s: Input tag 'image' is not allowed in `assistant` messages", at)
	}
	if b.Source == nil {
		return badRequest("", "%s.image.source: Field required", at)
	}
	switch b.Source.Type {
	case "base64":
		if !slices.Contains(imageTypes, b.Source.MediaType) {
			return badRequest("", "%s.image.source.base64.media_type: Input should be '%s'", at, strings.Join(imageTypes, "', '"))
		}
		if data, err := base64.StdEncoding.DecodeString(b.Source.Data); err != nil || len(data) == 0 {
			return badRequest("", "%s.image.source.base64.data: Could not decode the base64 data", at)
		}
	case "url":
		if !strings.HasPrefix(b.Source.URL, "https://") && !strings.HasPrefix(b.Source.URL, "http://") {
			return badRequest("", "%s.image.source.url.url: Only HTTP and HTTPS URLs are supported", at)
		}
	case "file":
	default:
		return badRequest("", "%s.image.source: Input tag '%s' found using 'type' does not match any of the expected tags: "+
			"'base64', 'url', 'file'", at, b.Source.Type)
	}
	return nil
}

// checkTurns holds the turns against each other: the user's first, and each
// tool use answered by a result in the very next turn.
func checkTurns(turns []turn) *problem {
	if turns[0].role != "user" {
		return badRequest("", "messages: first message must use the \"user\" role")
	}
	var open []string
	for i, t := range turns {
		for _, b := range t.blocks {
			if b.Type != "tool_result" {
				continue
			}
			if !slices.Contains(open, b.ToolUseID) {
				return badRequest("", "messages.%d: unexpected `tool_use_id` found in `tool_result` blocks: %s. Each `tool_result` "+
					"block must have a corresponding `tool_use` block in the previous message.", i, b.ToolUseID)
			}
			open = slices.DeleteFunc(open, func(id string) bool { return id == b.ToolUseID })
		}
		if len(open) > 0 {
			return badRequest("", "messages.%d: `tool_use` ids were found without `tool_result` blocks immediately after: %s. Each "+
				"`tool_use` block must have a corresponding `tool_result` block in the next message.", i-1, strings.Join(open, ", "))
		}
		for _, b := range t.blocks {
			if b.Type == "tool_use" {
				open = append(open, b.ID)
			}
		}
	}
	return nil
}

// readQuestion puts into q what checked turns say. The last turn is quoted.
func readQuestion(q *question, turns []turn) {
	for i, t := range turns {
		var texts, results []string
		images := 0
		for _, b := range t.blocks {
			switch b.Type {
			case "text":
				texts = append(texts, b.Text)
			case "image":
				images++
			case "tool_result":
				results = append(results, resultText(b.Content))
			}
		}
		text := strings.Join(texts, " ")
		if len(results) > 0 && len(texts) == 0 {
			text = strings.Join(results, " ")
		}
		q.words += countWords(text)
		if i == len(turns)-1 {
			q.text, q.images, q.toolResult = text, images, len(results) > 0 && len(texts) == 0
		}
	}
}

func resultText(raw json.RawMessage) string {
	blocks, _ := readBlocks(raw) // a result may have no content
	var texts []string
	for _, b := range blocks {
		if b.Type == "text" {
			texts = append(texts, b.Text)
		}
	}
	return strings.Join(texts, " ")
}
