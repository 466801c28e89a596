package openai

import (
	"errors"
	"hash/fnv"
	"strconv"
	"strings"

	"sluice/extproc/conversation"
)

// maxWaiting bounds the arguments of tool calls that wait for their turn.
const maxWaiting = 8 << 20

var (
	errWaiting  = errors.New("too many arguments of parallel tool calls")
	errLateCall = errors.New("a tool call goes on after it was complete")
)

// queue puts blocks that come interleaved in order. The first is told as it
// comes; those behind it wait until it is complete: text when anything else
// follows, a tool call when its arguments are a whole object and another block
// follows.
type queue struct {
	waiting []*pending // the first one's start was told
	done    int        // blocks that were told to their end
	held    int        // bytes of arguments that wait
	calls   int        // tool calls begun
	reply   string     // the reply's id, from which ids of calls without one are made
	ended   string     // id of the last call that was told to its end
	ev      conversation.Event
}

// pending is a block that is not complete.
type pending struct {
	kind      conversation.Kind
	index     int64 // of a tool call; -1: the server gives none
	id, name  string
	signature string
	data      string // of reasoning that can't be read
	buf       []byte // what waits to be told
	args      balance
}

// text adds to the last block if it is of this kind, or begins one.
func (q *queue) text(kind conversation.Kind, text string, fn func(*conversation.Event)) {
	if text == "" {
		return
	}
	last := q.lastOne()
	if last == nil || last.kind != kind || last.signature != "" {
		last = q.push(&pending{kind: kind}, fn)
	}
	q.add(last, text, fn)
}

func (q *queue) lastOne() *pending {
	if len(q.waiting) == 0 {
		return nil
	}
	return q.waiting[len(q.waiting)-1]
}

// sign gives the thinking under way its signature.
func (q *queue) sign(signature string, fn func(*conversation.Event)) {
	last := q.lastOne()
	if last == nil || last.kind != conversation.Thinking {
		last = q.push(&pending{kind: conversation.Thinking}, fn)
	}
	last.signature += strings.Clone(signature) // a sum with "" is no copy
}

func (q *queue) redacted(data string, fn func(*conversation.Event)) {
	q.push(&pending{kind: conversation.Redacted, data: strings.Clone(data)}, fn)
}

// call adds to a tool call. It is the one with the same index, unless an id
// says otherwise: some servers give every call the index 0, or none.
func (q *queue) call(index int64, id, name, arguments, signature string, fn func(*conversation.Event)) error {
	c := q.find(index, id, name)
	if c == nil {
		if late := id == "" && name == "" || id != "" && id == q.ended; late {
			if strings.TrimSpace(arguments) == "" {
				return nil
			}
			return errLateCall
		}
		if id == "" {
			id = callID(q.reply, q.calls)
		}
		q.calls++
		c = q.push(&pending{
			kind: conversation.ToolUse, index: index, id: strings.Clone(id), name: strings.Clone(name),
		}, fn)
	}
	c.signature += strings.Clone(signature)
	c.args.add(arguments)
	if c != q.waiting[0] {
		if q.held += len(arguments); q.held > maxWaiting {
			return errWaiting
		}
	}
	q.add(c, arguments, fn)
	return nil
}

// callID makes an id for a call that has none: the same for the same reply.
func callID(reply string, n int) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(reply)) // a hash takes anything
	return "call_" + strconv.FormatUint(h.Sum64(), 36) + "_" + strconv.Itoa(n)
}

func (q *queue) find(index int64, id, name string) *pending {
	for i := len(q.waiting) - 1; i >= 0; i-- {
		c := q.waiting[i]
		switch {
		case c.kind != conversation.ToolUse:
		case id != "" && id == c.id:
			return c
		case id == "" && (index < 0 || index == c.index) && (name == "" || !c.args.whole()):
			return c
		}
	}
	return nil
}

// push begins a block behind those that wait.
func (q *queue) push(p *pending, fn func(*conversation.Event)) *pending {
	q.waiting = append(q.waiting, p)
	if len(q.waiting) == 1 {
		q.start(fn)
		return p
	}
	q.advance(fn)
	return p
}

// advance ends blocks that are complete, now that others follow.
func (q *queue) advance(fn func(*conversation.Event)) {
	for len(q.waiting) > 1 && q.waiting[0].complete() {
		q.stop(fn)
		q.start(fn)
	}
}

func (p *pending) complete() bool { return p.kind != conversation.ToolUse || p.args.whole() }

func (q *queue) start(fn func(*conversation.Event)) {
	p := q.waiting[0]
	q.tell(fn, conversation.Event{
		Kind: conversation.BlockStart, Block: conversation.Block{Kind: p.kind, ID: p.id, Name: p.name},
	})
	if len(p.buf) > 0 {
		q.tell(fn, conversation.Event{Kind: conversation.Delta, Text: string(p.buf)})
		q.held -= len(p.buf)
		p.buf = nil
	}
}

func (q *queue) stop(fn func(*conversation.Event)) {
	p := q.waiting[0]
	q.tell(fn, conversation.Event{
		Kind:  conversation.BlockStop,
		Block: conversation.Block{Kind: p.kind, ID: p.id, Name: p.name, Signature: p.signature, Data: p.data},
	})
	if p.kind == conversation.ToolUse {
		q.ended = p.id
	}
	q.waiting = q.waiting[1:]
	q.done++
}

// tell tells an event about the first block. Its memory is used again.
func (q *queue) tell(fn func(*conversation.Event), ev conversation.Event) {
	q.ev = ev
	q.ev.Index = q.done
	fn(&q.ev)
}

// add tells more of the first block, or keeps it for one that waits.
func (q *queue) add(p *pending, text string, fn func(*conversation.Event)) {
	if p != q.waiting[0] {
		p.buf = append(p.buf, text...)
		q.advance(fn)
		return
	}
	if text != "" {
		q.tell(fn, conversation.Event{Kind: conversation.Delta, Text: text})
	}
	q.advance(fn)
}

// flush ends all blocks.
func (q *queue) flush(fn func(*conversation.Event)) {
	for len(q.waiting) > 0 {
		q.stop(fn)
		if len(q.waiting) > 0 {
			q.start(fn)
		}
	}
}

// balance follows JSON text and knows when an object is whole.
type balance struct {
	depth           int
	opened          bool
	quoted, escaped bool
}

func (b *balance) add(text string) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case b.escaped:
			b.escaped = false
		case b.quoted:
			b.escaped = c == '\\'
			b.quoted = c != '"'
		case c == '"':
			b.quoted = true
		case c == '{' || c == '[':
			b.depth++
			b.opened = true
		case c == '}' || c == ']':
			b.depth--
		}
	}
}

func (b *balance) whole() bool { return b.opened && b.depth <= 0 && !b.quoted }
