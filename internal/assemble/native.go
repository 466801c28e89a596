package assemble

import "strings"

// native finds out by the first event whose format a provider's own stream has.
type native struct {
	format format
	given  bool // it is none that is known
}

func (f *native) event(a *Assembler, data []byte) {
	if f.format == nil && !f.given {
		f.format = formatOf(data)
		f.given = f.format == nil
	}
	if f.format != nil {
		f.format.event(a, data)
	}
}

func (f *native) message(b []byte) []byte {
	if f.format == nil {
		return nil
	}
	return f.format.message(b)
}

func formatOf(data []byte) format {
	kind := string(inside(member(data, "type")))
	switch {
	case strings.HasPrefix(kind, "response."):
		return &responses{}
	case kind == "message_start", kind == "ping":
		return &anthropic{}
	case member(data, "choices") != nil:
		return newChat()
	case member(data, "candidates") != nil, member(data, "promptFeedback") != nil:
		return &gemini{}
	}
	return nil
}
