package conformance_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// mlflowCase is an exchange seen on MLflow's own server.
type mlflowCase struct {
	Name     string          `json:"name"`
	Provider string          `json:"provider"`
	Endpoint json.RawMessage `json:"endpoint_config"`
	Request  struct {
		Method string          `json:"method"`
		Path   string          `json:"path"`
		Body   json.RawMessage `json:"body"`
	} `json:"client_request"`
	Upstream *struct {
		Method string            `json:"method"`
		URL    string            `json:"url"`
		Header map[string]string `json:"headers"`
		Body   json.RawMessage   `json:"body"`
		Count  int               `json:"count"`
	} `json:"expected_upstream"`
	Answer *struct {
		Status      int             `json:"status"`
		ContentType string          `json:"content_type"`
		Body        json.RawMessage `json:"body"`
	} `json:"upstream_response"`
	Client struct {
		Status      int               `json:"status"`
		ContentType string            `json:"content_type"`
		Body        json.RawMessage   `json:"body"`
		Stream      string            `json:"raw_sse"`
		Events      []json.RawMessage `json:"events"`
	} `json:"expected_client_response"`
}

// TestMLflow plays what was seen on MLflow's own server, whole.
func TestMLflow(t *testing.T) {
	var cases []mlflowCase
	load(t, "mlflow-cases.json", &cases)
	t.Run("process", func(t *testing.T) {
		for _, c := range cases {
			t.Run(c.Name, func(t *testing.T) {
				c.check(t, inProcess(t, c.Endpoint, c.call(c.Request.Path), c.answer(t)), false)
			})
		}
	})
	t.Run("envoy", func(t *testing.T) {
		endpoints := make([]json.RawMessage, len(cases))
		for i, c := range cases {
			endpoints[i] = renamed(t, c.Endpoint, c.Name)
		}
		g := startGateway(t, endpoints)
		for _, c := range cases {
			t.Run(c.Name, func(t *testing.T) {
				c.check(t, g.play(t, alone, c.call("/gateway/"+c.Name+"/invocations"), c.answer(t)), true)
			})
		}
	})
}

func load(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	must(t, err)
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("reading %s: %v", file, err)
	}
}

// renamed is an endpoint under a name of its own.
func renamed(t *testing.T, endpoint json.RawMessage, name string) json.RawMessage {
	t.Helper()
	var members map[string]json.RawMessage
	must(t, json.Unmarshal(endpoint, &members))
	members["name"], _ = json.Marshal(name)
	out, err := json.Marshal(members)
	must(t, err)
	return out
}

func (c mlflowCase) call(path string) call {
	return call{method: c.Request.Method, path: path, body: c.Request.Body}
}

// answer is the provider's reply: a JSON value, the text of a stream, or its
// bytes in base64.
func (c mlflowCase) answer(t *testing.T) reply {
	t.Helper()
	if c.Answer == nil {
		return reply{}
	}
	r := reply{status: c.Answer.Status, contentType: c.Answer.ContentType, body: c.Answer.Body}
	var text string
	var packed struct {
		Base64 string `json:"base64"`
	}
	switch {
	case json.Unmarshal(c.Answer.Body, &text) == nil:
		r.body = []byte(text)
	case json.Unmarshal(c.Answer.Body, &packed) == nil && packed.Base64 != "":
		raw, err := base64.StdEncoding.DecodeString(packed.Base64)
		must(t, err)
		r.body = raw
	}
	return r
}

func (c mlflowCase) check(t *testing.T, got told, envoy bool) {
	t.Helper()
	c.checkSent(t, got.sent)
	if got.status != c.Client.Status || got.contentType != c.Client.ContentType {
		t.Errorf("the client got %d %s, not %d %s\n%s", got.status, got.contentType, c.Client.Status, c.Client.ContentType, got.body)
	}
	better := allowance{recent: envoy, beside: c.Client.Status >= 400}
	if c.Client.Stream == "" {
		report(t, "the client's reply", better.compare(c.Client.Body, got.body), c.Client.Body, got.body)
		return
	}
	events := dataOf(t, got.body)
	if len(events) != len(c.Client.Events) {
		t.Fatalf("the client got %d events, not %d\n%s\nwanted\n%s", len(events), len(c.Client.Events), got.body, c.Client.Stream)
	}
	for i := range events {
		report(t, fmt.Sprintf("event %d", i), better.compare(c.Client.Events[i], events[i]), c.Client.Events[i], events[i])
	}
}

func (c mlflowCase) checkSent(t *testing.T, got []sent) {
	t.Helper()
	if c.Upstream == nil {
		if len(got) > 0 {
			t.Errorf("the provider was called: %s %s\n%s", got[0].method, got[0].url, got[0].body)
		}
		return
	}
	if len(got) != max(c.Upstream.Count, 1) {
		t.Fatalf("the provider got %d requests, not %d", len(got), c.Upstream.Count)
	}
	s := got[0]
	if s.method != c.Upstream.Method || s.url != c.Upstream.URL {
		t.Errorf("the provider got %s %s\nnot %s %s", s.method, s.url, c.Upstream.Method, c.Upstream.URL)
	}
	expected := map[string]bool{}
	for name, value := range c.Upstream.Header {
		name = strings.ToLower(name)
		expected[name] = true
		given := s.header[name]
		if strings.HasPrefix(value, "AWS4-") && strings.HasPrefix(given, "AWS4-") {
			continue // SigV4's values are elided
		}
		if given != value {
			t.Errorf("the header %s is %q, not %q", name, given, value)
		}
	}
	for _, name := range credentials {
		if _, there := s.header[name]; there && !expected[name] {
			t.Errorf("the provider got a credential that it should not: %s", name)
		}
	}
	report(t, "the provider's request", allowance{}.compare(c.Upstream.Body, s.body), c.Upstream.Body, s.body)
}
