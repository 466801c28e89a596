package anthropic

import (
	"errors"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
)

var errReply = errors.New("reading a reply of the Messages API: it is not what the API promises")

func (provider) Write(*conversation.Request, string) ([]byte, *dialect.Error) {
	return nil, dialect.Internal()
}

func (provider) Read([]byte) (*conversation.Reply, error) { return nil, errReply }

func (provider) NewReader() conversation.Reader { return &reader{} }

type reader struct{}

func (*reader) Feed([]byte, func(*conversation.Event)) error { return errReply }
func (*reader) Close(func(*conversation.Event)) error        { return conversation.ErrTruncated }
