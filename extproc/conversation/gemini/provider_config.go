package gemini

import (
	"strconv"
	"strings"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// model is what a model's name tells of its abilities.
type model struct {
	generation int // 25 for 2.5; 0: not known
	pro, flash bool
	latest     bool // a name that moves with the generations
}

func parseModel(id string) model {
	id = strings.ToLower(id[strings.LastIndexByte(id, '/')+1:])
	rest, ok := strings.CutPrefix(id, "gemini-")
	if !ok {
		return model{}
	}
	m := model{
		pro: strings.Contains(rest, "pro"), flash: strings.Contains(rest, "flash"),
		latest: strings.HasSuffix(rest, "-latest"),
	}
	version, _, _ := strings.Cut(rest, "-")
	if f, err := strconv.ParseFloat(version, 64); err == nil && f > 0 && f < 1000 {
		m.generation = int(f*10 + 0.5)
	}
	return m
}

// signs reports whether the model refuses function calls without a signature.
func (m model) signs() bool { return m.generation >= 30 || m.latest }

func appendGeneration(b []byte, r *conversation.Request, m model) []byte {
	g := []byte{'{'}
	g = codec.AppendRaw(g, "temperature", r.Temperature)
	g = codec.AppendRaw(g, "topP", r.TopP)
	g = codec.AppendRaw(g, "topK", r.TopK)
	g = codec.AppendRaw(g, "seed", r.Seed)
	g = codec.AppendRaw(g, "presencePenalty", r.PresencePen)
	g = codec.AppendRaw(g, "frequencyPenalty", r.FrequencyPen)
	if r.MaxTokens > 0 {
		g = number(g, "maxOutputTokens", r.MaxTokens)
	}
	if len(r.Stop) > 0 {
		g = append(codec.AppendMember(g, "stopSequences"), '[')
		for _, s := range r.Stop {
			g = dialect.AppendString(jsontext.Comma(g), s)
		}
		g = append(g, ']')
	}
	switch r.Format.Kind {
	case conversation.FormatJSON:
		g = codec.AppendText(g, "responseMimeType", dialect.ContentTypeJSON)
	case conversation.FormatSchema:
		g = codec.AppendText(g, "responseMimeType", dialect.ContentTypeJSON)
		g = codec.AppendRaw(g, "responseJsonSchema", r.Format.Schema)
	}
	g = appendThinking(g, r.Reasoning, m)
	if len(g) == 1 {
		return b
	}
	return append(append(codec.AppendMember(b, "generationConfig"), g...), '}')
}

func appendThinking(g []byte, r conversation.Reasoning, m model) []byte {
	t := []byte{'{'}
	switch {
	case r.Off || r.Effort == "none":
		t = m.least(t)
	case r.Budget > 0:
		t = number(t, "thinkingBudget", min(r.Budget, m.mostThinking()))
	case r.Effort != "" && m.generation >= 30:
		t = codec.AppendText(t, "thinkingLevel", m.level(r.Effort))
	case r.Effort != "":
		t = number(t, "thinkingBudget", budgetOf(r.Effort))
	}
	// A model that does not reason refuses to show that it does.
	if r.Show && (m.generation == 0 || m.generation >= 25) {
		t = append(codec.AppendMember(t, "includeThoughts"), "true"...)
	}
	if len(t) == 1 {
		return g
	}
	return append(append(codec.AppendMember(g, "thinkingConfig"), t...), '}')
}

// least asks for as little reasoning as a model can do with: none where it can
// do without.
func (m model) least(t []byte) []byte {
	switch {
	case m.generation >= 30:
		return codec.AppendText(t, "thinkingLevel", m.level("minimal"))
	case m.generation == 25 && m.pro:
		return number(t, "thinkingBudget", 128) // its minimum
	case m.generation == 25 || m.latest:
		return number(t, "thinkingBudget", 0)
	}
	return t // a model that does not reason refuses to be asked
}

// mostThinking is the largest budget that a model takes.
func (m model) mostThinking() int64 {
	if m.flash {
		return 24576
	}
	return 32768
}

// budgetOf and level follow the table of Google's own OpenAI-compatible API
// (ai.google.dev/gemini-api/docs/openai, "Thinking").
func budgetOf(effort string) int64 {
	switch effort {
	case "minimal", "low":
		return 1024
	case "medium":
		return 8192
	}
	return 24576
}

func (m model) level(effort string) string {
	switch {
	case effort == "minimal" && m.flash:
		return "MINIMAL"
	case effort == "minimal" || effort == "low":
		return "LOW"
	case effort == "medium" && !(m.generation == 30 && m.pro):
		return "MEDIUM"
	}
	return "HIGH"
}
