package responses

import (
	"cmp"
	"net/http"
	"strconv"

	"sluice/extproc/conversation/codec"
	"sluice/extproc/dialect"
)

// Failed is what is known of a streamed response that failed.
type Failed struct {
	ID, Model  string
	Created    int64 // seconds since 1970
	Sequence   int64 // sequence_number of the event
	ExchangeID string
}

// AppendFailed adds the event "response.failed", with which a stream ends
// that can't be completed.
func AppendFailed(b []byte, e *dialect.Error, f Failed) []byte {
	b = append(b, "event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":"...)
	b = strconv.AppendInt(b, f.Sequence, 10)
	b = codec.AppendText(append(b, `,"response":{`...), "id", f.ID)
	b = strconv.AppendInt(append(b, `,"object":"response","created_at":`...), f.Created, 10)
	b = codec.AppendText(b, "status", failed)
	b = codec.AppendText(append(b, `,"error":{`...), "code", codeOf(e))
	b = codec.AppendText(b, "message", e.Message)
	if f.ExchangeID != "" {
		b = codec.AppendText(b, "exchange_id", f.ExchangeID)
	}
	b = codec.AppendText(append(b, `},"incomplete_details":null`...), "model", f.Model)
	b = append(b, `,"instructions":null,"metadata":{},"output":[],"parallel_tool_calls":true,"temperature":null,`...)
	b = append(b, `"tool_choice":"auto","tools":[],"top_p":null,"store":false,"usage":null}}`...)
	return append(b, "\n\n"...)
}

// codeOf is the code of an error in a response: the provider's own, or one
// of those that the API has.
func codeOf(e *dialect.Error) string {
	code := "server_error"
	switch {
	case e.Status == http.StatusTooManyRequests:
		code = "rate_limit_exceeded"
	case e.Status < http.StatusInternalServerError:
		code = "invalid_prompt"
	}
	return cmp.Or(e.ProviderCode, code)
}
