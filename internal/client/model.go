package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Message is a turn of a chat.
type Message struct {
	Role    string `json:"role"` // system, user or assistant
	Content string `json:"content"`
}

// ModelCall is a call of a chat, or of a completion where Prompt is set.
type ModelCall struct {
	Endpoint  string
	Messages  []Message
	Prompt    string
	MaxTokens int // 0: the endpoint's own
}

// errStream is an error that came within a stream.
type errStream struct {
	Error *struct {
		Message string `json:"message"`
		Code    any    `json:"code"`
	} `json:"error"`
}

// maxLine bounds one event of a stream.
const maxLine = 4 << 20

// StreamText calls a model in OpenAI's dialect and gives the text of its answer,
// in pieces as they come. An error of piece ends the call and is returned.
func (c *Client) StreamText(ctx context.Context, call ModelCall, piece func(string) error) error {
	path, in := "/v1/chat/completions", map[string]any{"model": call.Endpoint, "stream": true}
	if call.Prompt != "" {
		path, in["prompt"] = "/v1/completions", call.Prompt
	} else {
		in["messages"] = call.Messages
	}
	if call.MaxTokens > 0 {
		in["max_tokens"] = call.MaxTokens
	}
	body, err := c.patient().do(ctx, http.MethodPost, path, nil, in)
	if err != nil {
		return err
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxLine)
	done := false
	for lines.Scan() {
		data, isData := bytes.CutPrefix(lines.Bytes(), []byte("data:"))
		if !isData {
			continue
		}
		if data = bytes.TrimSpace(data); string(data) == "[DONE]" {
			done = true
			continue
		}
		text, err := textOf(data)
		if err != nil {
			return err
		}
		if text == "" {
			continue
		}
		if err := piece(text); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading the stream: %w", err)
	}
	if !done {
		return errors.New("the answer broke off before its end")
	}
	return nil
}

// textOf is the text of one event.
func textOf(data []byte) (string, error) {
	var event struct {
		errStream
		Choices []struct {
			Text  string `json:"text"`
			Delta struct {
				Content string `json:"content"`
			} `json:"delta"`
		} `json:"choices"`
	}
	if err := json.Unmarshal(data, &event); err != nil {
		return "", fmt.Errorf("reading the stream: %w", err)
	}
	if event.Error != nil {
		return "", errors.New(event.Error.Message)
	}
	if len(event.Choices) == 0 {
		return "", nil
	}
	return event.Choices[0].Text + event.Choices[0].Delta.Content, nil
}

// Embed returns the dimensions of the embeddings of texts.
func (c *Client) Embed(ctx context.Context, endpoint string, texts []string) ([]int, error) {
	var out struct {
		Data []struct {
			Embedding []float64 `json:"embedding"`
		} `json:"data"`
	}
	err := c.call(ctx, http.MethodPost, "/v1/embeddings", nil, map[string]any{"model": endpoint, "input": texts}, &out)
	if err != nil {
		return nil, err
	}
	dimensions := make([]int, len(out.Data))
	for i, d := range out.Data {
		dimensions[i] = len(d.Embedding)
	}
	if len(dimensions) != len(texts) {
		return nil, fmt.Errorf("the endpoint gave %d embeddings for %d texts", len(dimensions), len(texts))
	}
	return dimensions, nil
}
