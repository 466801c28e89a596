package conversation

import "sluice/extproc/dialect"

// OneTool makes a codec keep Request.SingleTool for a format that can't say it:
// of several tool calls in an answer only the first is told. The model makes
// the others again when it has the first one's result. What it returns is for
// one exchange.
func OneTool(p Provider) Provider { return &oneTool{Provider: p} }

type oneTool struct {
	Provider
	one bool
}

func (p *oneTool) Write(r *Request, model string) ([]byte, *dialect.Error) {
	p.one = r.SingleTool
	return p.Provider.Write(r, model)
}

func (p *oneTool) Read(body []byte) (*Reply, error) {
	r, err := p.Provider.Read(body)
	if err != nil || !p.one {
		return r, err
	}
	called := false
	kept := r.Blocks[:0]
	for _, b := range r.Blocks {
		if b.Kind == ToolUse && called {
			continue
		}
		called = called || b.Kind == ToolUse
		kept = append(kept, b)
	}
	r.Blocks = kept
	return r, nil
}

func (p *oneTool) NewReader() Reader {
	r := p.Provider.NewReader()
	if !p.one {
		return r
	}
	return &oneToolReader{Reader: r}
}

// oneToolReader leaves out the blocks of further tool calls, and numbers the
// others anew.
type oneToolReader struct {
	Reader
	called bool
	hidden bool // the block under way is left out
	fewer  int  // how many were left out
	fn     func(*Event)
}

func (r *oneToolReader) Feed(b []byte, fn func(*Event)) error {
	r.fn = fn
	return r.Reader.Feed(b, r.event)
}

func (r *oneToolReader) Close(fn func(*Event)) error {
	r.fn = fn
	return r.Reader.Close(r.event)
}

func (r *oneToolReader) event(ev *Event) {
	switch ev.Kind {
	case BlockStart:
		r.hidden = ev.Block.Kind == ToolUse && r.called
		r.called = r.called || ev.Block.Kind == ToolUse
	case BlockStop:
		if r.hidden {
			r.hidden = false
			r.fewer++
			return
		}
	}
	if r.hidden && (ev.Kind == BlockStart || ev.Kind == Delta) {
		return
	}
	told := *ev
	told.Index -= r.fewer
	r.fn(&told)
}

var (
	_ Provider = (*oneTool)(nil)
	_ Reader   = (*oneToolReader)(nil)
)
