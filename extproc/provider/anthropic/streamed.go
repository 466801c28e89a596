package anthropic

import (
	format "sluice/extproc/conversation/anthropic"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/sse"
	"sluice/extproc/provider/kit"
)

// streamed is what the calls of this package share: the exchange, and how a
// Messages stream is read and ended.
type streamed struct {
	req    *dialect.Request
	env    kit.Env
	up     kit.Upstream
	faults kit.Faults
	stream format.Stream // its usage is that of whole replies too
	done   bool
	err    *dialect.Error
	out    []byte // what the current chunk has become
}

func (c *streamed) Upstream() kit.Upstream     { return c.up }
func (c *streamed) StreamContentType() string  { return sse.ContentType }
func (c *streamed) Usage() dialect.Usage       { return c.stream.Usage.Counts() }
func (c *streamed) Err() *dialect.Error        { return c.err }
func (c *streamed) IsStream(ctype string) bool { return c.req.Stream && kit.IsEventStream(ctype) }

// chunk takes the next bytes of the stream. event adds to out, which has room
// at first.
func (c *streamed) chunk(b []byte, end bool, room int, event func(sse.Event, *format.Event)) (out []byte, done bool) {
	if c.done {
		return nil, true
	}
	c.out = make([]byte, 0, room)
	err := c.stream.Feed(b, event)
	if err == nil && end {
		err = c.stream.Close(event)
	}
	c.done = c.stream.Whole()
	if err != nil && !c.done {
		c.err, c.done = c.faults.Failed(err), true
		name, data := dialect.StreamError(c.req.Dialect, c.err, c.env.ExchangeID)
		c.out = sse.Append(c.out, name, data)
	}
	out, c.out = c.out, nil
	return out, c.done
}
