package conformance_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// asks is what a client asks of a model, whatever the wire format.
type asks struct {
	System      string          `json:"system"`
	Turns       []turn          `json:"turns"`
	Tools       []tool          `json:"tools"`
	Schema      json.RawMessage `json:"schema"`
	Stop        []string        `json:"stop"`
	MaxTokens   *int64          `json:"max_tokens"`
	Temperature *float64        `json:"temperature"`
	Thinking    []string        `json:"thinking"` // given back to the model: text, blank, signature
	Failed      bool            `json:"failed"`   // a tool's result says that it failed
	Candidates  *int64          `json:"candidates"`
	TopP        *float64        `json:"top_p"`
	Seed        *int64          `json:"seed"`
	Choice      string          `json:"choice"` // of tools: auto, any, none, or tool: and its name
	Inputs      []string        `json:"inputs"` // to be embedded

	model  string
	stream bool
	// signs: the format has signed thinking, and results that say they failed.
	signs bool
	// apart: the format wants the roles to alternate. joined: it joins turns
	// itself, but all results of tools must be in one.
	apart, joined bool
	// loose are all texts there are, where the format has no turns.
	loose []string
}

// turn is all that one side says until the other says something.
type turn struct {
	Role    string    `json:"role"` // user or assistant
	Text    string    `json:"text"`
	Images  []string  `json:"images"` // media type, ";", base64
	Calls   []toolUse `json:"calls"`
	Results []result  `json:"results"`
}

type toolUse struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
}

// result is a tool's. Name is there where the format has names in place of ids.
type result struct {
	ID    string          `json:"id"`
	Value json.RawMessage `json:"value"`
}

type tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"schema"`
}

// again marks a turn whose role the one before it has.
const again = "<a second turn of the same role>"

// add adds to the turn of a role, which is the last one or a new one.
func (a *asks) add(role string) *turn {
	if n := len(a.Turns); n > 0 && a.Turns[n-1].Role == role {
		if a.apart || a.joined && len(a.Turns[n-1].Results) > 0 && role == "user" {
			a.Turns[n-1].Text += again
		}
		return &a.Turns[n-1]
	}
	a.Turns = append(a.Turns, turn{Role: role})
	return &a.Turns[len(a.Turns)-1]
}

// lacks says what of the facts a request does not say, by fact.
func (a *asks) lacks(want *asks, sameIDs bool) map[string]string {
	out := map[string]string{}
	miss := func(fact, format string, args ...any) {
		if out[fact] == "" {
			out[fact] = fmt.Sprintf(format, args...)
		}
	}
	if a.loose != nil {
		a.lacksLoose(want, miss)
		return out
	}
	for _, n := range []struct {
		name      string
		got, want any
	}{{"candidates", a.Candidates, want.Candidates}, {"top_p", a.TopP, want.TopP}, {"seed", a.Seed, want.Seed}} {
		if w := reflect.ValueOf(n.want); !w.IsNil() && !reflect.DeepEqual(n.got, n.want) {
			miss(n.name, "%s is %s, not %s", n.name, asJSON(n.got), asJSON(n.want))
		}
	}
	if want.Thinking != nil && a.signs && !slices.Equal(a.Thinking, want.Thinking) {
		miss("thinking", "the thinking given back is %q, not %q", a.Thinking, want.Thinking)
	}
	if want.Failed && a.signs && !a.Failed {
		miss("failed", "the tool's result does not say that it failed")
	}
	if want.Choice != "" && a.Choice != want.Choice {
		miss("choice", "the choice of tools is %q, not %q", a.Choice, want.Choice)
	}
	if !slices.Equal(a.Inputs, want.Inputs) {
		miss("inputs", "the texts are %q, not %q", a.Inputs, want.Inputs)
	}
	if a.System != want.System {
		miss("system", "the system text is %q, not %q", a.System, want.System)
	}
	a.lacksTurns(want, sameIDs, miss)
	a.lacksTools(want, miss)
	if !sameJSON(a.Schema, want.Schema) {
		miss("schema", "the schema of the answer is %s, not %s", a.Schema, want.Schema)
	}
	if !slices.Equal(a.Stop, want.Stop) {
		miss("stop", "the stop list is %q, not %q", a.Stop, want.Stop)
	}
	if want.MaxTokens != nil && (a.MaxTokens == nil || *a.MaxTokens != *want.MaxTokens) {
		miss("max_tokens", "the limit on tokens is %s, not %d", text(a.MaxTokens), *want.MaxTokens)
	}
	if want.Temperature != nil && (a.Temperature == nil || *a.Temperature != *want.Temperature) {
		miss("temperature", "the temperature is %s, not %v", text(a.Temperature), *want.Temperature)
	}
	return out
}

// lacksLoose wants every text, in order.
func (a *asks) lacksLoose(want *asks, miss func(fact, format string, args ...any)) {
	all := strings.Join(a.loose, "\n")
	texts := []string{want.System}
	for _, t := range want.Turns {
		texts = append(texts, t.Text)
		if len(t.Images) > 0 {
			miss("images", "there is no image")
		}
		if len(t.Calls)+len(t.Results) > 0 {
			miss("calls", "there are no tool calls")
		}
	}
	for _, t := range texts {
		_, rest, found := strings.Cut(strings.ReplaceAll(all, "\n", ""), t)
		if !found {
			miss("turns", "%q is missing, or not in its place, in %q", t, a.loose)
		}
		all = rest
	}
	if len(want.Tools) > 0 {
		miss("tools", "there are no tools")
	}
	if want.Schema != nil {
		miss("schema", "there is no schema")
	}
	if want.MaxTokens != nil && (a.MaxTokens == nil || *a.MaxTokens != *want.MaxTokens) {
		miss("max_tokens", "the limit on tokens is %s, not %d", text(a.MaxTokens), *want.MaxTokens)
	}
	if !slices.Equal(a.Stop, want.Stop) {
		miss("stop", "the stop list is %q, not %q", a.Stop, want.Stop)
	}
}

func (a *asks) lacksTurns(want *asks, sameIDs bool, miss func(fact, format string, args ...any)) {
	if len(a.Turns) != len(want.Turns) {
		miss("turns", "there are %d turns, not %d: %s", len(a.Turns), len(want.Turns), asJSON(a.Turns))
		return
	}
	ids := map[string]string{} // of calls, by those that are wanted
	for i, w := range want.Turns {
		g := a.Turns[i]
		// Blocks of text may become one, with line breaks between them.
		if g.Role != w.Role || strings.ReplaceAll(g.Text, "\n", "") != w.Text {
			miss("turns", "turn %d is %s %q, not %s %q", i, g.Role, g.Text, w.Role, w.Text)
		}
		if !slices.Equal(g.Images, w.Images) {
			miss("images", "the images of turn %d are %q, not %q", i, g.Images, w.Images)
		}
		if len(g.Calls) != len(w.Calls) || len(g.Results) != len(w.Results) {
			miss("calls", "turn %d has the calls %s and the results %s", i, asJSON(g.Calls), asJSON(g.Results))
			return
		}
		for j := range w.Calls {
			ids[w.Calls[j].ID] = g.Calls[j].ID
			if g.Calls[j].Name != w.Calls[j].Name || !sameJSON(g.Calls[j].Arguments, w.Calls[j].Arguments) {
				miss("calls", "the call is %s, not %s", asJSON(g.Calls[j]), asJSON(w.Calls[j]))
			}
			if sameIDs && g.Calls[j].ID != w.Calls[j].ID {
				miss("ids", "the id of the call is %q, not %q", g.Calls[j].ID, w.Calls[j].ID)
			}
		}
		for j := range w.Results {
			// A format that has no word for failing says it in the result.
			said := want.Failed && !a.signs && strings.Contains(strings.ReplaceAll(string(g.Results[j].Value), `\`, ""), string(w.Results[j].Value))
			if !said && !sameJSON(g.Results[j].Value, w.Results[j].Value) {
				miss("results", "the result is %s, not %s", asJSON(g.Results[j]), asJSON(w.Results[j]))
			}
			if g.Results[j].ID == "" || g.Results[j].ID != ids[w.Results[j].ID] {
				miss("links", "the result is of the call %q, not of %q", g.Results[j].ID, ids[w.Results[j].ID])
			}
		}
	}
}

func (a *asks) lacksTools(want *asks, miss func(fact, format string, args ...any)) {
	if len(a.Tools) != len(want.Tools) {
		miss("tools", "there are %d tools, not %d", len(a.Tools), len(want.Tools))
		return
	}
	for i, w := range want.Tools {
		g := a.Tools[i]
		if (w.Schema == nil || string(w.Schema) == "null") && (len(g.Schema) == 0 || takesNothing(g.Schema)) {
			g.Schema = nil
		}
		if g.Name != w.Name || g.Description != w.Description || !sameJSON(g.Schema, w.Schema) {
			miss("tools", "the tool is %s, not %s", asJSON(g), asJSON(w))
		}
	}
}

// takesNothing reports whether a schema is of an object without members.
func takesNothing(schema json.RawMessage) bool {
	var s struct {
		Type       string         `json:"type"`
		Properties map[string]any `json:"properties"`
		Required   []string       `json:"required"`
	}
	return json.Unmarshal(schema, &s) == nil && strings.EqualFold(s.Type, "object") && len(s.Properties)+len(s.Required) == 0
}

// answer is what a client is told, whatever the wire format.
type answer struct {
	Text    string    `json:"text"`
	Refusal string    `json:"refusal"`
	Calls   []toolUse `json:"calls"`
	// Finish is end, stop (a stop sequence), length, tools or refusal.
	Finish string `json:"finish"`
	Usage  struct {
		Input     *int64 `json:"input"`
		Output    *int64 `json:"output"`
		Cached    *int64 `json:"cached"`
		Reasoning *int64 `json:"reasoning"`
	} `json:"usage"`
	// Vectors are those of embeddings.
	Vectors [][]float64 `json:"vectors"`
	// Status is of an error.
	Status int `json:"status"`
	// Failure is the message, or a part of it, with which a stream breaks off.
	Failure string `json:"failure"`

	model string
	// thinking is shown apart from the text.
	thinking string
	places   []int // the indexes of the calls in OpenAI's chunks
}

// lacks says what of the facts a client was not told, by fact. reports are the
// counts that both sides can express; ids are those that the provider gave.
func (a *answer) lacks(want *answer, reports []string, ids []string) map[string]string {
	out := map[string]string{}
	miss := func(fact, format string, args ...any) {
		if out[fact] == "" {
			out[fact] = fmt.Sprintf(format, args...)
		}
	}
	if want.Failure != "" {
		if !strings.Contains(a.Failure, want.Failure) {
			miss("failure", "the stream broke off with %q, without %q", a.Failure, want.Failure)
		}
		if a.Finish != "" {
			miss("finish", "the answer ended by %q before it broke off", a.Finish)
		}
	}
	switch {
	case want.Text == "" && want.Refusal == "":
		if a.Text+a.Refusal != "" {
			miss("text", "the text is %q, not none", a.Text+a.Refusal)
		}
	case want.Refusal != "":
		if slices.Contains(reports, "refusal") && !strings.Contains(a.Text+a.Refusal, want.Refusal) {
			miss("text", "the refusal is %q and %q, not %q", a.Text, a.Refusal, want.Refusal)
		}
	case a.Refusal != "" || a.Text != want.Text && (want.Text[:1] != "{" || !sameJSON(json.RawMessage(a.Text), json.RawMessage(want.Text))):
		miss("text", "the text is %q (refusal %q), not %q", a.Text, a.Refusal, want.Text)
	}
	if !reflect.DeepEqual(a.Vectors, want.Vectors) {
		miss("vectors", "the vectors are %v, not %v", a.Vectors, want.Vectors)
	}
	if want.Failure == "" && a.Finish != want.Finish && (want.Finish != "stop" || a.Finish != "end" || slices.Contains(reports, "stop")) {
		miss("finish", "the answer ended by %q, not %q", a.Finish, want.Finish)
	}
	if len(a.Calls) != len(want.Calls) {
		miss("calls", "the calls are %s, not %s", asJSON(a.Calls), asJSON(want.Calls))
	} else {
		for i, w := range want.Calls {
			g := a.Calls[i]
			if g.Name != w.Name || !sameJSON(g.Arguments, w.Arguments) {
				miss("calls", "the call is %s, not %s", asJSON(g), asJSON(w))
			}
			switch {
			case g.ID == "", i > 0 && g.ID == a.Calls[0].ID:
				miss("ids", "the call has no id of its own: %s", asJSON(a.Calls))
			case len(ids) > i && g.ID != ids[i]:
				miss("ids", "the id of the call is %q, not %q", g.ID, ids[i])
			}
		}
	}
	for _, u := range []struct {
		name      string
		got, want *int64
	}{{"input", a.Usage.Input, want.Usage.Input}, {"output", a.Usage.Output, want.Usage.Output},
		{"cached", a.Usage.Cached, want.Usage.Cached}, {"reasoning", a.Usage.Reasoning, want.Usage.Reasoning}} {
		if u.want != nil && slices.Contains(reports, u.name) && (u.got == nil || *u.got != *u.want) {
			miss("usage", "usage of %s is %s, not %d", u.name, text(u.got), *u.want)
		}
	}
	return out
}

func text[T any](p *T) string {
	if p == nil {
		return "not given"
	}
	return fmt.Sprint(*p)
}

func asJSON(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// sameJSON compares values; none is the same as null.
func sameJSON(a, b json.RawMessage) bool {
	none := func(v json.RawMessage) bool { return len(v) == 0 || string(v) == "null" }
	if none(a) || none(b) {
		return none(a) && none(b)
	}
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	return reflect.DeepEqual(lowered(x), lowered(y))
}

// lowered gives schemas of Gemini's their usual form: types in lower case.
func lowered(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			if s, ok := v[name].(string); ok && name == "type" {
				v[name] = strings.ToLower(s)
				continue
			}
			v[name] = lowered(v[name])
		}
	case []any:
		for i := range v {
			v[i] = lowered(v[i])
		}
	}
	return v
}
