package assemble

import "strings"

// native finds out by the first event whose format a provider's own stream has.
type native struct {
	format format
	given  bool // it is none that is known
	lines  bool // it may be a file of JSON lines, whose members mean nothing
}

func (f *native) event(a *Assembler, data []byte) {
	if f.format == nil && !f.given {
		f.format = f.formatOf(data)
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

func (f *native) ended() bool { return f.format != nil && f.format.ended() }

func (f *native) formatOf(data []byte) format {
	has := func(names ...string) bool {
		for _, name := range names {
			if member(data, name) == nil {
				return false
			}
		}
		return true
	}
	switch {
	case truth(member(data, "is_finished")) != nil, string(member(data, "is_finished")) == "false":
		return &cohereV1{}
	case has("done", "created_at") && (has("message") || has("response")):
		return ollama()
	case f.lines:
		return nil
	}
	kind := string(inside(member(data, "type")))
	switch {
	case strings.HasPrefix(kind, "response."):
		return &responses{}
	case kind == "message_start", kind == "ping", kind == "error" && has("error"):
		return &anthropic{}
	case kind == "message-start":
		return &cohere{}
	case strings.HasPrefix(kind, "transcript.text."):
		return &transcript{}
	case has("choices"):
		return newChat()
	case has("candidates"), has("promptFeedback"):
		return &gemini{}
	case has("final_result"), has("intermediate_results"), has("orchestration_result"), has("module_results"):
		return &orchestration{}
	case has("completion", "stop_reason"):
		return completion()
	case has("generation", "stop_reason"):
		return llama()
	case has("outputText", "completionReason"):
		return &titan{}
	case has("token", "generated_text"):
		return &tgi{}
	case inside(member(member(data, "delta"), "role")) != nil:
		return &agent{}
	}
	if outputs := member(data, "outputs"); len(outputs) > 0 && outputs[0] == '[' {
		return outputsOf()
	}
	if name, _ := first(data); converseEvents[name] {
		return &bedrock{}
	}
	if len(member(data, "error")) > 0 { // which came in place of an answer
		return newChat()
	}
	return nil
}
