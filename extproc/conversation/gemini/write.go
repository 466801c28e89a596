package gemini

import (
	"strconv"

	"sluice/extproc/conversation"
	"sluice/extproc/dialect"
	"sluice/extproc/dialect/jsontext"
)

// name adds a member's name to an object under construction.
func name(b []byte, key string) []byte {
	return append(dialect.AppendString(jsontext.Comma(b), key), ':')
}

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

// text adds a member that is a string.
func text(b []byte, key, value string) []byte { return dialect.AppendString(name(b, key), value) }

// raw adds a member that is JSON already; nothing where there is none.
func raw(b []byte, key string, value conversation.Raw) []byte {
	if value == "" {
		return b
	}
	return append(name(b, key), value...)
}

// object is the text of a JSON object; "{}" where there is none.
func object(v conversation.Raw) conversation.Raw {
	if v == "" {
		return "{}"
	}
	return v
}
