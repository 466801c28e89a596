package dialect

// Member is one top-level member of a JSON object, by positions in its text.
type Member struct {
	Key        string // unescaped
	KeyStart   int    // of the key's opening quote
	Start, End int    // of the value
}

// Members are the top-level members of a JSON object, in order.
type Members []Member

// AppendString adds a JSON string.
func AppendString(b []byte, s string) []byte { panic("soon") }
