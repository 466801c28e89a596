package ui

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

const (
	// lendTime is how long the token of one try is good: it is presented at once.
	lendTime = time.Minute
	// keepAlive is how often a silent reply gets a comment, so that nothing on
	// the way takes it for dead.
	keepAlive = 15 * time.Second
	// maxAnswer bounds a reply that comes whole.
	maxAnswer = 8 << 20
)

// question is what the playground sends.
type question struct {
	Messages    []message `json:"messages"`
	Text        string    `json:"text"` // the prompt of a completion, or what is embedded
	Temperature *float64  `json:"temperature"`
	MaxTokens   *int64    `json:"maxTokens"`
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// try is POST /ui/endpoints/{name}/try. The gateway's own listener is called
// as any client would, with a token lent for it; so policy, limits and trail see an
// ordinary call. The reply is a stream of events: "start" with the exchange's
// id, then the gateway's own stream as it comes, or "answer" with a whole
// answer, or "error" with what the gateway said.
func (s *UI) try(c *call) error {
	e, err := c.rest.GetEndpoint(c.ctx(), c.r.PathValue("name"))
	if err != nil {
		return err
	}
	// Read to its end: only then is a browser noticed that leaves.
	body, err := io.ReadAll(c.r.Body)
	if err != nil {
		return err
	}
	var q question
	if err := json.Unmarshal(body, &q); err != nil {
		return &client.Error{Status: http.StatusBadRequest, Message: "The request is not what the page sends: " + err.Error() + "."}
	}
	req, err := s.tryRequest(c, e, q)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	c.w.WriteHeader(http.StatusOK)
	out := &events{w: c.w, flush: http.NewResponseController(c.w), boundary: true}
	_ = out.flush.Flush() // the browser knows at once that it is being served
	if err := s.relay(c.r.Context(), req, out); err != nil && c.r.Context().Err() == nil {
		s.Log.Error("a try was broken off", zap.String("exchange", c.id), zap.Error(err))
		out.event("error", map[string]any{"message": "The answer was broken off. Try again."})
	}
	return nil
}

// tryRequest makes the request for the endpoint's type.
func (s *UI) tryRequest(c *call, e api.Endpoint, q question) (*http.Request, error) {
	body := map[string]any{"model": e.EndpointName}
	path, stream := "", true
	switch kind := strings.TrimPrefix(e.EndpointType, "llm/v1/"); kind {
	case "chat":
		path, body["messages"] = "chat/completions", q.Messages
	case "completions":
		path, body["prompt"] = "completions", q.Text
	case "embeddings":
		path, body["input"], stream = "embeddings", q.Text, false
	default:
		return nil, &client.Error{Status: http.StatusBadRequest, Message: "Endpoints of the type " + kind + " can't be tried here."}
	}
	if stream {
		body["stream"], body["stream_options"] = true, map[string]any{"include_usage": true}
		if q.Temperature != nil {
			body["temperature"] = *q.Temperature
		}
		if q.MaxTokens != nil {
			body["max_tokens"] = *q.MaxTokens
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("writing a try: %w", err)
	}
	req, err := http.NewRequestWithContext(c.r.Context(), http.MethodPost, "http://gateway/v1/"+path, bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("making a try: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.Tokens.Lend(c.caller, lendTime))
	req.Header.Set("User-Agent", "Sluice UI")
	if c.client != "" {
		req.Header.Set("X-Forwarded-For", c.client)
	}
	return req, nil
}

// chunk is a part of the gateway's reply, or its end.
type chunk struct {
	head *http.Response
	data []byte
	err  error
}

// relay passes the gateway's reply on as it comes. It returns when the reply
// has ended and nothing of it is left behind.
func (s *UI) relay(ctx context.Context, req *http.Request, out *events) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	chunks := make(chan chunk)
	send := func(c chunk) bool {
		select {
		case chunks <- c:
			return true
		case <-ctx.Done():
			return false
		}
	}
	done := make(chan struct{})
	defer func() { cancel(); <-done }()
	go func() {
		defer close(done)
		resp, err := s.Gateway.RoundTrip(req.WithContext(ctx))
		if err != nil {
			send(chunk{err: err})
			return
		}
		defer func() { _ = resp.Body.Close() }()
		if !send(chunk{head: resp}) {
			return
		}
		if !streams(resp) {
			b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
			send(chunk{data: b, err: errors.Join(err, io.EOF)})
			return
		}
		for {
			buf := make([]byte, 16<<10)
			n, err := resp.Body.Read(buf)
			if !send(chunk{data: buf[:n], err: err}) || err != nil {
				return
			}
		}
	}()
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	var head *http.Response
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			out.comment()
		case c := <-chunks:
			switch {
			case c.head != nil:
				head = c.head
				out.event("start", map[string]any{"exchange": head.Header.Get("X-Request-Id")})
			case head != nil && !streams(head):
				out.whole(head, c.data)
			default:
				out.raw(c.data)
			}
			if errors.Is(c.err, io.EOF) {
				return nil
			}
			if c.err != nil {
				return c.err
			}
		}
	}
}

func streams(r *http.Response) bool {
	return r.StatusCode == http.StatusOK && strings.HasPrefix(r.Header.Get("Content-Type"), "text/event-stream")
}

// events writes a stream of events. A browser that has left is found by the
// request's context, not here.
type events struct {
	w        io.Writer
	flush    *http.ResponseController
	boundary bool // the last event was ended
}

func (o *events) raw(b []byte) {
	if len(b) == 0 {
		return
	}
	_, _ = o.w.Write(b)
	o.boundary = bytes.HasSuffix(b, []byte("\n\n")) || bytes.HasSuffix(b, []byte("\r\n\r\n"))
	_ = o.flush.Flush()
}

func (o *events) comment() {
	if o.boundary {
		o.raw([]byte(":\n\n"))
	}
}

func (o *events) event(name string, value any) {
	b, err := json.Marshal(value)
	if err != nil {
		return // texts and numbers
	}
	lead := ""
	if !o.boundary {
		lead = "\n\n"
	}
	o.raw([]byte(lead + "event: " + name + "\ndata: " + string(b) + "\n\n"))
}

// whole passes an answer on that came in one piece: an embedding, or an error.
func (o *events) whole(head *http.Response, body []byte) {
	if head.StatusCode == http.StatusOK && json.Valid(body) {
		o.event("answer", json.RawMessage(body))
		return
	}
	var told struct {
		Error struct{ Message, Code string }
	}
	_ = json.Unmarshal(body, &told) // an error without words is told by its status
	if told.Error.Message == "" {
		told.Error.Message = "The gateway answered with status " + http.StatusText(head.StatusCode) + "."
	}
	o.event("error", map[string]any{"status": head.StatusCode, "message": told.Error.Message, "code": told.Error.Code})
}
