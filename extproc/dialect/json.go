package dialect

import "sluice/extproc/dialect/jsontext"

// Members are the top-level members of a JSON object, by position.
type Members = jsontext.Members

// Member is one of them.
type Member = jsontext.Member

// AppendString adds s to b as a JSON string.
func AppendString(b []byte, s string) []byte { return jsontext.AppendString(b, s) }

// Members are the top-level members of the request's Payload, so that one can
// be replaced without reading the whole again.
func (r *Request) Members() Members {
	if r.members == nil { // a Request that Parse did not make
		m, _ := jsontext.Scan(r.Payload)
		return m
	}
	return r.members
}
