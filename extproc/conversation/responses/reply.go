package responses

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect/jsontext"
)

// status of a response, by the words of the API.
const (
	inProgress = "in_progress"
	completed  = "completed"
	incomplete = "incomplete"
	failed     = "failed"
)

// statusOf is the status of an answer that ended for a reason, and why it is
// incomplete. refused: it holds the refusal, which makes it a whole one; a
// refusal that nothing else tells of is the filter's.
func statusOf(s conversation.StopReason, refused bool) (status, reason string) {
	switch {
	case s == conversation.StopLength:
		return incomplete, "max_output_tokens"
	case s == conversation.StopFilter, s == conversation.StopRefusal && !refused:
		return incomplete, "content_filter"
	}
	return completed, ""
}

// answer is what is common to the answers of one exchange.
type answer struct {
	meta  conversation.Meta
	show  bool // the client wants summaries of reasoning
	proof bool // the client wants encrypted_content
	tools []carried
	known bool // tools was made
}

func newAnswer(m conversation.Meta) answer {
	a := answer{meta: m, show: m.Form.Reasoning.Show}
	members := m.Request.Members()
	jsontext.View(members.Value(m.Request.Payload, "include")).ForEach(func(_, v gjson.Result) bool {
		a.proof = a.proof || v.Str == "reasoning.encrypted_content"
		return true
	})
	return a
}

// lookup is the tool that the client knows under the name of a function. Most
// answers have no calls: the tools are only read for one.
func (a *answer) lookup(name string) carried {
	if !a.known {
		a.tools, a.known = toolsOf(a.meta.Request), true
	}
	for i := range a.tools {
		if a.tools[i].tool.Name == name {
			return a.tools[i]
		}
	}
	return carried{name: name}
}

// id is the id of the response, or of one of its items.
func (a *answer) id(prefix string, index int) string {
	id := prefix + a.meta.ExchangeID
	if index >= 0 {
		id += "_" + strconv.Itoa(index)
	}
	return id
}

// echoed are the members of a call that its answer repeats, with the values
// of those that were not given.
var echoed = [][2]string{
	{"instructions", "null"}, {"max_output_tokens", "null"}, {"max_tool_calls", "null"}, {"metadata", "{}"},
	{"parallel_tool_calls", "true"}, {"previous_response_id", "null"}, {"reasoning", `{"effort":null,"summary":null}`},
	{"service_tier", "null"}, {"temperature", "null"}, {"text", `{"format":{"type":"text"}}`},
	{"tool_choice", `"auto"`}, {"tools", "[]"}, {"top_p", "null"}, {"truncation", `"disabled"`}, {"user", "null"},
}

// appendEcho adds what the answer repeats of the call.
func (a *answer) appendEcho(b []byte) []byte {
	members := a.meta.Request.Members()
	for _, e := range echoed {
		b = codec.AppendMember(b, e[0])
		if v := members.Value(a.meta.Request.Payload, e[0]); len(v) > 0 && string(v) != "null" {
			b = jsontext.AppendCompact(b, v)
		} else {
			b = append(b, e[1]...)
		}
	}
	return append(b, `,"background":false,"store":false`...)
}

// appendResponse adds a response object with its output, a JSON list.
func (a *answer) appendResponse(b []byte, model, status, reason string, output []byte, u conversation.Usage) []byte {
	b = codec.AppendText(append(b, '{'), "id", a.id("resp_", -1))
	b = strconv.AppendInt(append(b, `,"object":"response","created_at":`...), a.meta.Created, 10)
	b = codec.AppendText(b, "status", status)
	b = append(b, `,"error":null,"incomplete_details":`...)
	if reason == "" {
		b = append(b, "null"...)
	} else {
		b = append(codec.AppendText(append(b, '{'), "reason", reason), '}')
	}
	b = codec.AppendText(b, "model", cmp.Or(model, a.meta.Model))
	b = append(append(append(b, `,"output":[`...), output...), ']')
	b = a.appendEcho(b)
	b = append(b, `,"usage":`...)
	return append(appendUsage(b, u), '}')
}

// AppendReply adds a whole response.
func (client) AppendReply(b []byte, r *conversation.Reply, m conversation.Meta) []byte {
	a := newAnswer(m)
	status, reason := statusOf(r.Stop, slices.ContainsFunc(r.Blocks, func(b conversation.Block) bool { return b.Kind == conversation.Refusal }))
	var output []byte
	n := 0
	for i := range r.Blocks {
		last := i == len(r.Blocks)-1
		item := a.open(&r.Blocks[i], n)
		item.text = r.Blocks[i].Text
		if r.Blocks[i].Kind == conversation.ToolUse {
			item.text = jsontext.Compact(string(r.Blocks[i].Input))
		}
		itemStatus := completed
		if last {
			itemStatus = status
		}
		output = a.appendItem(jsontext.Comma(output), &item, &r.Blocks[i], itemStatus)
		if n++; item.kind == conversation.ToolUse && r.Blocks[i].Signature != "" && a.proof {
			output = append(output, ',')
			output = appendReasoning(output, a.id("rs_", n), "", callProof(r.Blocks[i].ID, r.Blocks[i].Signature))
			n++
		}
	}
	return a.appendResponse(b, r.Model, status, reason, output, r.Usage)
}

// item is one item of the output.
type item struct {
	kind   conversation.Kind
	id     string
	index  int
	text   string // all of it
	callID string
	tool   carried
}

// open makes the item for a block.
func (a *answer) open(block *conversation.Block, index int) item {
	it := item{kind: block.Kind, index: index}
	switch block.Kind {
	case conversation.Thinking, conversation.Redacted:
		it.id = a.id("rs_", index)
	case conversation.ToolUse:
		it.callID, it.tool = block.ID, a.lookup(block.Name)
		switch it.tool.kind {
		case custom:
			it.id = a.id("ctc_", index)
		case toolSearch:
			it.id = a.id("tsc_", index)
		default:
			it.id = a.id("fc_", index)
		}
	default:
		it.id = a.id("msg_", index)
	}
	return it
}

// appendItem adds an item that is complete, or as much of it as its text says.
// block has what proves it.
func (a *answer) appendItem(b []byte, it *item, block *conversation.Block, status string) []byte {
	switch it.kind {
	case conversation.Thinking, conversation.Redacted:
		summary, proof := it.text, ""
		if !a.show {
			summary = ""
		}
		if a.proof && status != inProgress {
			whole := conversation.Block{Kind: it.kind, Text: it.text, Signature: block.Signature, Data: block.Data}
			proof = proofOf(&whole, a.show)
		}
		return appendReasoning(b, it.id, summary, proof)
	case conversation.ToolUse:
		return appendCall(b, it, status)
	}
	b = codec.AppendText(append(b, '{'), "id", it.id)
	b = codec.AppendText(append(b, `,"type":"message","role":"assistant"`...), "status", status)
	b = append(b, `,"content":[`...)
	if it.text != "" || status != inProgress {
		b = appendPart(b, it.kind, it.text)
	}
	return append(b, "]}"...)
}

// appendPart adds a part of a message's content.
func appendPart(b []byte, kind conversation.Kind, text string) []byte {
	if kind == conversation.Refusal {
		return append(codec.AppendText(append(b, `{"type":"refusal"`...), "refusal", text), '}')
	}
	b = codec.AppendText(append(b, `{"type":"output_text"`...), "text", text)
	return append(b, `,"annotations":[],"logprobs":[]}`...)
}

func appendReasoning(b []byte, id, summary, proof string) []byte {
	b = codec.AppendText(append(b, '{'), "id", id)
	b = append(b, `,"type":"reasoning","summary":[`...)
	if summary != "" {
		b = appendSummary(b, summary)
	}
	if b = append(b, ']'); proof != "" {
		b = codec.AppendText(b, "encrypted_content", proof)
	}
	return append(b, '}')
}

func appendSummary(b []byte, text string) []byte {
	return append(codec.AppendText(append(b, `{"type":"summary_text"`...), "text", text), '}')
}

func appendCall(b []byte, it *item, status string) []byte {
	b = codec.AppendText(append(b, '{'), "id", it.id)
	switch it.tool.kind {
	case custom:
		b = codec.AppendText(append(b, `,"type":"custom_tool_call"`...), "call_id", it.callID)
		b = appendNames(b, it)
		text := it.text
		if text != "" {
			text = customInput(text)
		}
		return append(codec.AppendText(b, "input", text), '}')
	case toolSearch:
		b = codec.AppendText(append(b, `,"type":"tool_search_call","execution":"client"`...), "call_id", it.callID)
		b = codec.AppendText(b, "status", status)
		arguments := conversation.Raw("{}")
		if object, ok := codec.Object(it.text); ok {
			arguments = object
		}
		return append(codec.AppendRaw(b, "arguments", arguments), '}')
	}
	b = codec.AppendText(append(b, `,"type":"function_call"`...), "call_id", it.callID)
	b = appendNames(b, it)
	b = codec.AppendText(b, "arguments", it.text)
	return append(codec.AppendText(b, "status", status), '}')
}

func appendNames(b []byte, it *item) []byte {
	if it.tool.namespace != "" {
		b = codec.AppendText(b, "namespace", it.tool.namespace)
	}
	return codec.AppendText(b, "name", it.tool.name)
}

var _ conversation.Client = client{}
