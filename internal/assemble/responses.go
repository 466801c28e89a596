package assemble

import (
	"slices"
	"strings"
)

// responses adds up the events of OpenAI's Responses API. The last event holds
// the whole response; what came before matters where that never came.
type responses struct {
	response value // as told first, or last
	items    []*output
	at       map[int64]*output // by index
	failed   value             // of an event "error"
	whole    bool              // the last event came
}

// output is one item of the output.
type output struct {
	index int64
	value value
}

func (f *responses) event(a *Assembler, data []byte) {
	kind := string(inside(member(data, "type")))
	switch kind {
	case "response.created", "response.in_progress", "response.queued":
		f.take(a, data)
	case "response.completed", "response.incomplete", "response.failed":
		f.whole = true
		f.take(a, data)
	case "response.output_item.added", "response.output_item.done":
		if item := member(data, "item"); len(item) > 0 && item[0] == '{' {
			if o := f.output(a, data); o != nil {
				o.value = value{}
				o.value.fold(a, at(item), false)
			}
		}
	case "error":
		f.failed.fold(a, at(data), false)
	default:
		f.delta(a, kind, data)
	}
}

func (f *responses) take(a *Assembler, data []byte) {
	r := member(data, "response")
	if len(r) == 0 || r[0] != '{' {
		return
	}
	if f.whole {
		// It takes the place of all that was counted.
		a.size, a.cut = 0, false
	}
	f.response = value{}
	f.response.fold(a, at(r), false)
}

// output is the item that an event is about, made where it is new.
func (f *responses) output(a *Assembler, data []byte) *output {
	index := number(data, "output_index")
	if o := f.at[index]; o != nil {
		return o
	}
	if !a.grow(valueBytes) {
		return nil
	}
	o := &output{index: index}
	if f.at == nil {
		f.at = map[int64]*output{}
	}
	f.items, f.at[index] = append(f.items, o), o
	return o
}

// parts says where the text of a delta goes: the list in the item, and the
// member in a part of that list; or a member of the item itself.
var parts = map[string][2]string{
	"response.output_text":                {"content", "text"},
	"response.refusal":                    {"content", "refusal"},
	"response.reasoning_text":             {"content", "text"},
	"response.reasoning_summary_text":     {"summary", "text"},
	"response.function_call_arguments":    {"", "arguments"},
	"response.mcp_call_arguments":         {"", "arguments"},
	"response.custom_tool_call_input":     {"", "input"},
	"response.code_interpreter_call_code": {"", "code"},
}

func (f *responses) delta(a *Assembler, kind string, data []byte) {
	if f.whole {
		return
	}
	switch kind {
	case "response.content_part.added", "response.content_part.done":
		f.part(a, data, "content", "content_index")
		return
	case "response.reasoning_summary_part.added", "response.reasoning_summary_part.done":
		f.part(a, data, "summary", "summary_index")
		return
	}
	where, known := parts[strings.TrimSuffix(kind, ".delta")]
	delta := member(data, "delta")
	if !known || len(delta) == 0 || delta[0] != '"' {
		return
	}
	o := f.output(a, data)
	if o == nil {
		return
	}
	o.value.become(object)
	into := &o.value
	if where[0] != "" {
		if into = o.part(a, where[0], number(data, where[0]+"_index")); into == nil {
			return
		}
		into.become(object)
	}
	into.member(where[1]).foldText(a, inside(delta), true)
}

// part takes in a part of an item that is told whole.
func (f *responses) part(a *Assembler, data []byte, list, index string) {
	raw := member(data, "part")
	if len(raw) == 0 || raw[0] != '{' {
		return
	}
	if o := f.output(a, data); o != nil {
		if p := o.part(a, list, number(data, index)); p != nil {
			*p = value{index: p.index}
			p.fold(a, at(raw), false)
		}
	}
}

// part is a part of an item by its number, made where it is new.
func (o *output) part(a *Assembler, list string, index int64) *value {
	o.value.become(object)
	parts := o.value.member(list)
	parts.become(array)
	if p := parts.numbered(index); p != nil {
		return p
	}
	if !a.grow(valueBytes) {
		return nil
	}
	parts.kids = append(parts.kids, &value{index: index})
	return parts.kids[len(parts.kids)-1]
}

func (f *responses) ended() bool { return f.whole }

func number(data []byte, name string) int64 { return digits(member(data, name)) }

func (f *responses) message(b []byte) []byte {
	if f.response.kind != object {
		if f.failed.kind != object && len(f.items) == 0 {
			return nil
		}
		f.response.become(object)
	}
	list := f.response.member("output")
	// Some servers leave the output of the last event empty.
	if len(f.items) > 0 && len(list.kids) == 0 {
		slices.SortStableFunc(f.items, func(x, y *output) int { return int(x.index - y.index) })
		list.become(array)
		for _, o := range f.items {
			list.kids = append(list.kids, &o.value)
		}
	}
	if f.failed.kind == object {
		*f.response.member("error") = f.failed
	}
	return f.response.append(b)
}
