package anthropic

import (
	"github.com/tidwall/gjson"

	"sluice/extproc/dialect/jsontext"
)

// members are the top-level members of a checked payload.
type members []member

type member struct {
	name  string
	value gjson.Result
}

// get returns a member's value, which does not exist if it is not there.
func (m members) get(name string) gjson.Result {
	for i := range m {
		if m[i].name == name {
			return m[i].value
		}
	}
	return gjson.Result{}
}

func payloadMembers(payload []byte) members {
	m := make(members, 0, 12)
	jsontext.View(payload).ForEach(func(k, v gjson.Result) bool {
		m = append(m, member{k.Str, v})
		return true
	})
	return m
}

// appendInner adds a JSON string without its quotes.
func appendInner(b []byte, v gjson.Result) []byte {
	if v.Type != gjson.String {
		return b
	}
	return append(b, v.Raw[1:len(v.Raw)-1]...)
}
