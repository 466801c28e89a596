package kit

import (
	"errors"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
)

// Failed is the client's error for what a codec found in a 2xx reply or stream:
// a *conversation.Failure is what the provider told, conversation.ErrTruncated
// a stream that was cut off; anything else is no reply of the provider's API.
func (f Faults) Failed(err error) *dialect.Error {
	var told *conversation.Failure
	switch {
	case errors.As(err, &told):
		return f.Told(told.Status, told.Kind, told.Code, told.Message)
	case errors.Is(err, conversation.ErrTruncated):
		return dialect.StreamTruncated()
	}
	return BadReply("The provider's reply is not what its API promises.")
}
