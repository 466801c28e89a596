package conformance_test

import (
	"slices"
	"testing"

	"sluice/extproc/provider"
	"sluice/extproc/provider/kit"
)

// TestTable holds the table of providers against the matrix: every provider is
// played in every type that it answers, and what it is said to carry is what
// its translators carry.
func TestTable(t *testing.T) {
	m := loadMatrix(t)
	for _, p := range provider.All() {
		t.Run(p.ID, func(t *testing.T) {
			if p.NativeOnly || p.ID == "practice" { // inside the gateway: it has a name and a wire of its own nowhere
				return
			}
			rows := slices.DeleteFunc(slices.Clone(m.rows), func(r row) bool { return r.Provider != p.ID })
			for _, kind := range types {
				played := slices.ContainsFunc(rows, func(r row) bool { return r.kind(kind) != nil })
				if answers := p.Answers("llm/v1/" + kind); answers != played {
					t.Errorf("%s: the table says %t, the matrix plays it: %t", kind, answers, played)
				}
			}
			for _, r := range rows {
				m.checkFeatures(t, p, r)
			}
		})
	}
}

func (m *matrix) checkFeatures(t *testing.T, p *kit.Provider, r row) {
	t.Helper()
	for _, f := range []struct {
		name   string
		said   bool
		kind   string
		stream bool
	}{
		{"one_tool", p.Features.Tools, "chat", false}, {"tool_results", p.Features.Tools, "chat", false},
		{"image", p.Features.Images, "chat", false}, {"json_schema", p.Features.JSONSchema, "chat", false},
		{"plain", slices.Contains(p.Features.Streams, kit.TypeChat), "chat", true},
		{"completions_plain", slices.Contains(p.Features.Streams, kit.TypeCompletions), "completions", true},
	} {
		k := r.kind(f.kind)
		if k == nil {
			continue
		}
		carried := m.carries(t, r, f.name, f.stream)
		// A server with OpenAI's API gets what a client of that API sends, also
		// what it is known not to have: that is the server's to say.
		passes := k.wire("openai").Format == "openai"
		if carried != f.said && !(carried && passes) {
			t.Errorf("%s, %s (stream: %t): the table says %t, and it is carried: %t", r.Name, f.name, f.stream, f.said, carried)
		}
	}
}

// carries reports whether a call of OpenAI's dialect leads to a request.
func (m *matrix) carries(t *testing.T, r row, name string, stream bool) bool {
	t.Helper()
	f := m.features[name]
	if f.Type == "" {
		f.Type = "chat"
	}
	pr := pair{matrix: m, client: "openai", row: r, name: name, feature: f, stream: stream}
	got := inProcess(t, r.endpoint(f.Type), pr.call(t, m.mark()), reply{status: 500, contentType: "application/json", body: []byte("{}")})
	return len(got.sent) > 0
}
