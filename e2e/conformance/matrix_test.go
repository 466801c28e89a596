package conformance_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"sluice/extproc/dialect"
)

// clients are the dialects, with the paths of calls.
// gemini-array is Gemini's client that reads a stream as one JSON array.
var clients = []string{"mlflow", "openai", "responses", "anthropic", "gemini", "gemini-array"}

// matrix is everything that pairs are made of.
type matrix struct {
	rows       []row
	features   map[string]feature
	replies    replies
	exceptions []exception
	used       []atomic.Bool // exceptions that came to pass
	marks      atomic.Int64
	gateway    *gateway
}

func loadMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{}
	load(t, "providers.json", &m.rows)
	load(t, "features.json", &m.features)
	load(t, "replies.json", &m.replies)
	load(t, "refusals.json", &m.exceptions)
	m.used = make([]atomic.Bool, len(m.exceptions))
	return m
}

func (m *matrix) mark() string { return fmt.Sprintf("case-%06d", m.marks.Add(1)) }

// pair is one client before one provider with one feature.
type pair struct {
	*matrix
	client  string
	row     row
	name    string // of the feature
	feature feature
	stream  bool
}

func (p pair) kind() *kind { return p.row.kind(p.feature.Type) }

// dialect is the client's, without its variants.
func (p pair) dialect() string { return strings.TrimSuffix(p.client, "-array") }

func (p pair) mode() string {
	if p.stream {
		return "stream"
	}
	return "whole"
}

// TestMatrix plays every client dialect before every provider with every
// feature, whole and streamed, in process and through Envoy.
func TestMatrix(t *testing.T) {
	m := loadMatrix(t)
	var endpoints []json.RawMessage
	for _, r := range m.rows {
		for _, kind := range types {
			if r.kind(kind) != nil {
				endpoints = append(endpoints, r.endpoint(kind))
			}
		}
	}
	m.gateway = startGateway(t, endpoints)
	t.Cleanup(func() { m.checkUsed(t) })
	for _, client := range clients {
		t.Run(client, func(t *testing.T) {
			for _, r := range m.rows {
				t.Run(r.Name, func(t *testing.T) { t.Parallel(); m.playRow(t, client, r) })
			}
		})
	}
}

func (m *matrix) playRow(t *testing.T, client string, r row) {
	for _, name := range slices.Sorted(maps.Keys(m.features)) {
		f := m.features[name]
		if f.Type == "" {
			f.Type = "chat"
		}
		speaks := f.Requests[strings.TrimSuffix(client, "-array")] != nil || client == "mlflow" && f.Requests["openai"] != nil
		if !speaks || r.kind(f.Type) == nil {
			continue // the dialect has no words for it, or the provider has no such endpoints
		}
		t.Run(name, func(t *testing.T) {
			for _, stream := range []bool{false, true} {
				p := pair{matrix: m, client: client, row: r, name: name, feature: f, stream: stream}
				if stream && f.Type == "embeddings" || !stream && client == "gemini-array" || f.Modes != "" && f.Modes != p.mode() {
					continue
				}
				t.Run(p.mode(), func(t *testing.T) {
					t.Run("process", func(t *testing.T) { p.play(t, false) })
					t.Run("envoy", func(t *testing.T) { p.play(t, true) })
				})
			}
		})
	}
}

// checkUsed finds exceptions that no pair needs, when all were played.
func (m *matrix) checkUsed(t *testing.T) {
	if int(m.marks.Load()) < len(m.rows)*len(clients)*len(m.features) {
		return // only some were
	}
	for i := range m.exceptions {
		if !m.used[i].Load() {
			t.Errorf("an exception that no pair needs: %s", asJSON(m.exceptions[i]))
		}
	}
}

// call is the client's request.
func (p pair) call(t *testing.T, mark string) call {
	t.Helper()
	endpoint := p.row.Name + "-" + p.feature.Type
	template := p.feature.Requests[p.dialect()]
	if template == nil {
		template = p.feature.Requests["openai"]
	}
	text := strings.ReplaceAll(strings.ReplaceAll(string(template), "$MARK", mark), "$MODEL", endpoint)
	var members map[string]json.RawMessage
	must(t, json.Unmarshal([]byte(text), &members))
	if p.stream && p.dialect() != "gemini" {
		members["stream"] = json.RawMessage("true")
		if p.client == "openai" && p.name != "usage_unasked" {
			members["stream_options"] = json.RawMessage(`{"include_usage":true}`)
		}
	}
	c := call{method: http.MethodPost}
	switch p.client {
	case "mlflow":
		c.path = "/gateway/" + endpoint + "/invocations"
		delete(members, "model")
	case "openai":
		c.path = map[string]string{"chat": "/v1/chat/completions"}[p.feature.Type]
		if c.path == "" {
			c.path = "/v1/" + p.feature.Type
		}
	case "responses":
		c.path = "/v1/responses"
	case "anthropic":
		c.path = "/v1/messages"
	case "gemini-array":
		c.path = "/v1beta/models/" + endpoint + ":streamGenerateContent"
	case "gemini":
		c.path = "/v1beta/models/" + endpoint + ":generateContent"
		if p.stream {
			c.path = "/v1beta/models/" + endpoint + ":streamGenerateContent?alt=sse"
		}
	}
	var err error
	c.body, err = json.Marshal(members)
	must(t, err)
	return c
}

// wanted are the facts, with the mark of the case.
func (p pair) wanted(t *testing.T, mark string) *asks {
	t.Helper()
	b, err := json.Marshal(p.feature.Asks)
	must(t, err)
	var a asks
	must(t, json.Unmarshal([]byte(strings.ReplaceAll(string(b), "$MARK", mark)), &a))
	if string(a.Schema) == "null" {
		a.Schema = nil
	}
	return &a
}

// exceptions of the pair: the refusal, if one is due, and the facts to leave out.
func (p pair) except() (refusal *exception, skip []string) {
	for i := range p.exceptions {
		e := &p.exceptions[i]
		if !e.fits(p.dialect(), p.row.Name, p.name, p.mode()) {
			continue
		}
		if e.Status != 0 {
			p.used[i].Store(true)
			return e, nil
		}
		skip = append(skip, e.Skip...)
	}
	return nil, skip
}

// needed notes which exceptions excuse what was found.
func (p pair) needed(fact string) {
	for i := range p.exceptions {
		e := &p.exceptions[i]
		if e.Status == 0 && e.fits(p.dialect(), p.row.Name, p.name, p.mode()) && slices.Contains(e.Skip, fact) {
			p.used[i].Store(true)
		}
	}
}

func (p pair) play(t *testing.T, envoy bool) {
	mark := p.mark()
	c := p.call(t, mark)
	w := p.kind().wire(p.dialect())
	what := p.feature.Answer
	reply := what
	if what == "json" && p.row.SchemaTool != "" && p.client != "mlflow" {
		reply = "json_tool"
	}
	script, can := p.replies.of(w.Format, reply)
	if !can {
		what = "text"
		script, _ = p.replies.of(w.Format, what)
	}
	answer := script.play(t, w.Format, w.Framing, "model-of-provider", p.stream)
	var got told
	if envoy {
		got = p.gateway.play(t, mark, c, answer)
	} else {
		got = inProcess(t, p.row.endpoint(p.feature.Type), c, answer)
	}
	problems := map[string]string{}
	refusal, skip := p.except()
	if w.Format == "none" {
		refusal = &exception{Status: http.StatusNotImplemented, Field: " is not ", Why: "MLflow's rule"}
	}
	switch {
	case refusal != nil:
		p.checkRefusal(t, refusal, got)
		return
	case len(got.sent) != p.requests(w, what):
		t.Errorf("the provider got %d requests: %d %s", len(got.sent), got.status, compact(got.body))
		return
	}
	for i := range got.sent {
		p.checkSent(got.sent[i], i, w, mark, t, problems)
	}
	p.checkTold(t, got, w, what, problems)
	for fact, problem := range problems {
		if slices.Contains(skip, fact) {
			p.needed(fact)
			continue
		}
		t.Errorf("%s: %s\nclient asked  %s\nprovider got  %s\nprovider said %s\nclient got    %d %s", fact, problem,
			compact(c.body), compact(got.sent[0].body), compact(answer.body), got.status, compact(got.body))
	}
	if envoy && len(problems) == 0 {
		p.checkRecord(t, got, w, what)
	}
}

func (p pair) checkRefusal(t *testing.T, want *exception, got told) {
	t.Helper()
	if len(got.sent) > 0 {
		t.Errorf("the provider was called, though a refusal is due: %s\nprovider got %s\nclient got %d %s", asJSON(want),
			compact(got.sent[0].body), got.status, compact(got.body))
		return
	}
	if got.status != want.Status || !containsAny(string(got.body), want.Field) {
		t.Errorf("the refusal is %d %s, not %d naming %q", got.status, compact(got.body), want.Status, want.Field)
		return
	}
	if message := toldError(p.dialect(), got.body); message == "" {
		t.Errorf("the refusal has no message: %s", got.body)
	}
}

// requests is how many requests a call makes: where the format takes one text,
// one for each, until one fails.
func (p pair) requests(w wire, what string) int {
	if w.Format == "titan-embed" && p.replies.Facts[what].Status == 0 {
		return len(p.feature.Asks.Inputs)
	}
	return 1
}

// checkSent holds the provider's request, one of several of a call's, against
// the facts.
func (p pair) checkSent(s sent, i int, w wire, mark string, t *testing.T, problems map[string]string) {
	t.Helper()
	if url := p.row.url(p.kind(), w, p.stream, len(p.feature.Asks.Inputs) > 1); s.url != url || s.method != http.MethodPost {
		problems["url"] = fmt.Sprintf("the provider got %s %s, not POST %s", s.method, s.url, url)
	}
	p.row.checkAuth(s, problems)
	a, err := asked(w.Format, s.body)
	if err != nil {
		problems["request"] = fmt.Sprintf("the request is not what %s promises: %v", w.Format, err)
		return
	}
	if n := len(a.Tools); n > 0 && p.row.SchemaTool != "" && a.Tools[n-1].Name == p.row.SchemaTool {
		a.Schema, a.Tools = a.Tools[n-1].Schema, a.Tools[:n-1]
	}
	want := p.wanted(t, mark)
	if len(want.Inputs) > 0 && p.requests(w, p.feature.Answer) > 1 {
		want.Inputs = want.Inputs[i : i+1]
	}
	maps.Copy(problems, a.lacks(want, p.row.IDs == "" && w.Format != "gemini"))
	if named := slices.Contains(named, w.Format); named && *w.Model != "" && a.model != *w.Model {
		problems["model"] = fmt.Sprintf("the body names the model %q, not %q", a.model, *w.Model)
	} else if named && a.stream != p.stream && w.Framing != "aws-bytes" {
		problems["stream"] = fmt.Sprintf("the body's stream is %t", a.stream)
	}
}

// named are the formats whose bodies name the model and say whether to stream.
var named = []string{"openai", "responses", "anthropic", "cohere1", "cohere2", "sap"}

// checkAuth wants the row's credentials and no others.
func (r row) checkAuth(s sent, problems map[string]string) {
	for name, want := range r.Auth {
		got := s.header[name]
		if want == "AWS4-HMAC-SHA256" && strings.HasPrefix(got, want+" ") {
			continue
		}
		if got != want {
			problems["credential"] = fmt.Sprintf("the header %s is %q, not %q", name, got, want)
		}
	}
	for _, name := range credentials {
		if got, there := s.header[name]; there && r.Auth[name] == "" {
			problems["credential"] = fmt.Sprintf("the provider got a credential that is not its own: %s: %s", name, got)
		}
	}
}

// checkTold holds the client's reply against the facts.
func (p pair) checkTold(t *testing.T, got told, w wire, what string, problems map[string]string) {
	t.Helper()
	want := p.replies.Facts[what]
	if want.Status != 0 {
		p.checkError(got, want.Status, problems)
		return
	}
	if got.status != http.StatusOK {
		problems["reply"] = fmt.Sprintf("the client got the status %d", got.status)
		return
	}
	if want.Vectors != nil && p.requests(w, what) > 1 {
		want.Vectors = [][]float64{want.Vectors[0], want.Vectors[0]} // each was the same to the provider
	}
	a, err := toldAnswer(t, p.client, got, p.stream)
	if err != nil {
		problems["reply"] = "the reply is not what the client's dialect promises: " + err.Error()
		return
	}
	maps.Copy(problems, a.lacks(&want, p.reports(w.Format), p.replies.IDs[w.Format]))
	if p.name == "usage_unasked" && a.Usage.Input != nil {
		problems["unasked"] = "the stream tells usage, for which the client did not ask"
	}
	if got.exchange == "" {
		if problem := counted(got.usage, want, countsOf[w.Format]); problem != "" {
			problems["counted"] = problem
		}
	}
}

// countsOf are the counts that a provider's format has.
var countsOf = map[string][]string{
	"openai": {"input", "output", "cached", "reasoning"}, "sap": {"input", "output", "cached", "reasoning"},
	"responses": {"input", "output", "cached", "reasoning"}, "gemini": {"input", "output", "cached", "reasoning"},
	"anthropic": {"input", "output", "cached"}, "converse": {"input", "output", "cached"}, "cohere2": {"input", "output", "cached"},
	"cohere1": {"input", "output"}, "openai-text": {"input", "output"},
}

// reports are what of an answer both sides have words for.
func (p pair) reports(format string) []string {
	if p.name == "usage_unasked" {
		return nil
	}
	list := slices.Clone(countsOf[format])
	switch p.client {
	case "mlflow":
		list = slices.DeleteFunc(list, func(s string) bool { return s == "cached" || s == "reasoning" })
	case "anthropic":
		list = slices.DeleteFunc(list, func(s string) bool { return s == "reasoning" })
		if slices.Contains([]string{"anthropic", "converse", "cohere2"}, format) {
			list = append(list, "stop")
		}
	}
	if format != "gemini" {
		list = append(list, "refusal")
	}
	return list
}

// counted holds the usage that records and metrics get against the facts.
func counted(got dialect.Usage, want answer, counts []string) string {
	for _, u := range []struct {
		name string
		got  int64
		want *int64
	}{{"input", got.Input, want.Usage.Input}, {"output", got.Output, want.Usage.Output},
		{"cached", got.Cached, want.Usage.Cached}, {"reasoning", got.Reasoning, want.Usage.Reasoning}} {
		if u.want != nil && slices.Contains(counts, u.name) && u.got != *u.want {
			return fmt.Sprintf("%s is counted as %d, not %d: %+v", u.name, u.got, *u.want, got)
		}
	}
	return ""
}

// checkError wants the provider's error in the client's dialect.
func (p pair) checkError(got told, status int, problems map[string]string) {
	want := status
	if status == http.StatusUnauthorized && p.client != "mlflow" {
		want = http.StatusBadGateway // the endpoint's key is bad, not the client's
	}
	if got.status != want {
		problems["status"] = fmt.Sprintf("the status is %d, not %d", got.status, want)
		return
	}
	message := ""
	if a := catch(func() { message = toldError(p.dialect(), got.body) }); a != "" {
		problems["error"] = a
		return
	}
	words := map[int]string{400: "The value is out of range.", 429: "Slow down, please.", 500: "Something broke."}[status]
	if !strings.Contains(message, words) {
		problems["error"] = fmt.Sprintf("the message is %q, without %q", message, words)
	}
	if retry := got.header.Get("Retry-After"); status == http.StatusTooManyRequests && retry != "7" {
		problems["retry"] = fmt.Sprintf("Retry-After is %q, not 7", retry)
	}
}

func catch(f func()) (problem string) {
	defer func() {
		if r := recover(); r != nil {
			problem = fmt.Sprint(r)
		}
	}()
	f()
	return ""
}

// checkRecord holds the record of a sample of pairs against the facts.
func (p pair) checkRecord(t *testing.T, got told, w wire, what string) {
	t.Helper()
	if what != "cached" && what != "stream_error" && what != "stream_cut" {
		return
	}
	r := p.gateway.Admin("GET", "/api/sluice/v1/audit/"+got.exchange, "")
	var record struct {
		Outcome struct {
			Input     int64  `json:"inputTokens"`
			Output    int64  `json:"outputTokens"`
			Cached    int64  `json:"cachedTokens"`
			Reasoning int64  `json:"reasoningTokens"`
			Result    string `json:"result"`
			Code      string `json:"code"`
		} `json:"outcome"`
	}
	must(t, json.Unmarshal(r.Body, &record))
	o := record.Outcome
	if code := map[string]string{"stream_error": "provider_", "stream_cut": "stream_truncated"}[what]; code != "" {
		if o.Result != "provider_error" || !strings.HasPrefix(o.Code, code) {
			t.Errorf("the record says %s, %s: %s", o.Result, o.Code, compact(r.Body))
		}
		return
	}
	usage := dialect.Usage{Input: o.Input, Output: o.Output, Cached: o.Cached, Reasoning: o.Reasoning}
	if problem := counted(usage, p.replies.Facts[what], countsOf[w.Format]); problem != "" {
		t.Errorf("the record: %s\n%s", problem, compact(r.Body))
	}
}

// containsAny looks for one of several texts, given with "|" between them: a
// field has another name in each dialect.
func containsAny(body, texts string) bool {
	for _, text := range strings.Split(texts, "|") {
		if strings.Contains(body, text) {
			return true
		}
	}
	return false
}
