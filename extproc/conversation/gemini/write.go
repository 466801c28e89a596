package gemini

import (
	"strconv"

	"sluice/extproc/conversation"
	"sluice/extproc/conversation/codec"
)

// number adds a member that is a whole number.
func number(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(codec.AppendMember(b, name), n, 10)
}

// object is the text of a JSON object; "{}" where there is none.
func object(v conversation.Raw) conversation.Raw {
	if v == "" {
		return "{}"
	}
	return v
}
