package redact_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect/eventstream"
	"sluice/internal/redact"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// wrapped is base64 in lines of n characters.
func wrapped(s string, n int, feed string) string {
	var lines []string
	for e := b64(s); ; e = e[n:] {
		if len(e) <= n {
			return strings.Join(append(lines, e), feed)
		}
		lines = append(lines, e[:n])
	}
}

// TestEncodings: what is encoded transparently is found and encoded again.
func TestEncodings(t *testing.T) {
	r := newRedactor(t, redact.Options{Fields: []string{"*.customer"}})
	long := strings.Repeat("Rabbits dig. ", 12)
	for name, c := range map[string][2]string{
		"without padding":              {`{"a":"` + base64.RawURLEncoding.EncodeToString([]byte("I am x@example.com???>")) + `"}`, `{"a":"` + base64.RawURLEncoding.EncodeToString([]byte("I am [email]???>")) + `"}`},
		"lines":                        {`{"a":` + quoted(wrapped(long+"x@example.com "+long, 76, "\r\n")) + `}`, `{"a":` + quoted(wrapped(long+"[email] "+long, 76, "\r\n")) + `}`},
		"lines as text":                {wrapped(long+"x@example.com "+long, 64, "\n") + "\n", wrapped(long+"[email] "+long, 64, "\n") + "\n"},
		"Basic":                        {`{"a":"Authorization: Basic ` + b64("x@example.com:hunter2") + `"}`, `{"a":"Authorization: Basic [named_secret]"}`},
		"behind a path":                {`{"a":"https://h/files/` + b64("x@example.com") + `"}`, `{"a":"https://h/files/` + b64("[email]") + `"}`},
		"behind words":                 {`{"a":"decode ` + b64("card 4111111111111111") + ` and-more"}`, `{"a":"decode ` + b64("card [card]") + ` and-more"}`},
		"a field":                      {`{"a":"` + b64(`{"customer":"Jane"}`) + `"}`, `{"a":"` + b64(`{"customer":"[field]"}`) + `"}`},
		"a file of InvokeModel":        {`{"bytes":"` + b64(`{"outputText":"x@example.com"}`) + `"}`, `{"bytes":"` + b64(`{"outputText":"[email]"}`) + `"}`},
		"events in base64":             {`{"a":"` + b64("data: {\"t\":\"x@exa\"}\n\ndata: {\"t\":\"mple.com\"}\n\n") + `"}`, `{"a":"` + b64("data: {\"t\":\"[email]\"}\n\ndata: {\"t\":\"\"}\n\n") + `"}`},
		"in pieces":                    {"data: {\"t\":\"" + b64("I am x@example.com!!")[:9] + "\"}\n\ndata: {\"t\":\"" + b64("I am x@example.com!!")[9:] + "\"}\n\n", "data: {\"t\":\"" + b64("I am [email]!!") + "\"}\n\ndata: {\"t\":\"\"}\n\n"},
		"some bytes that are no UTF-8": {`{"a":"` + b64("J\xe4ne x@example.com, M\xfcnchen 80331") + `"}`, `{"a":"` + b64("J\xe4ne [email], M\xfcnchen 80331") + `"}`},
		"a URL":                        {`{"a":"https://h/?q=4111%201111%201111%201111&m=x%2Etags%40example.com"}`, `{"a":"https://h/?q=[card]&m=[email]"}`},
		"a number of a URL":            {`{"a":"https://h/?tel=%2B49%20170%201234567"}`, `{"a":"https://h/?tel=[phone]"}`},
		"a URL in a URL":               {`{"a":"https://h/?u=https%3A%2F%2Fi%2F%3Fq%3D4111%25201111%25201111%25201111"}`, `{"a":"https://h/?u=https%3A%2F%2Fi%2F%3Fq%3D[card]"}`},
		"a tag and a percent":          {`{"a":"x+y%40example.com"}`, `{"a":"[email]"}`},
		"a form of a page":             {"name=Jane&card=4111+1111+1111+1111&to=x%40example.com", "name=Jane&card=[card]&to=[email]"},
	} {
		got := string(r.Body([]byte(c[0])))
		require.Equal(t, c[1], got, name)
		require.Equal(t, got, string(r.Body([]byte(got))), "%s: what was redacted stays as it is", name)
	}
	for in, want := range map[string]string{
		"/v1/x/4111%201111%201111%201111": "/v1/x/[card]", "/v1?card=4111+1111+1111+1111": "/v1?card=[card]",
		"/v1?a=x%2540example.com": "/v1?a=[email]", "/v1/" + b64("x@example.com"): "/v1/" + b64("[email]"),
		"/v1?tel=+49%20170%201234567": "/v1?tel=[phone]", "/v1/a%20b+c": "/v1/a%20b+c",
	} {
		require.Equal(t, want, r.Text(in))
	}
}

// TestFilesStay: pictures and other files in base64 stay byte for byte, also
// where a piece of them looks like a number, and so do words and hashes.
func TestFilesStay(t *testing.T) {
	r := newRedactor(t, redact.Options{Key: key, Detectors: names()})
	picture := "iVBORw0KGgoAAAANSUhEUgAA" + strings.Repeat("Aq+491701234567/4111111111111111+", 100)
	for _, body := range []string{
		`{"url":"data:image/png;base64,` + picture + `"}`, `{"data":"` + picture + `"}`, `{"data":"` + b64("%PDF-1.7\n"+strings.Repeat("\xe2\xe3\xcf\xd3 x@example.com", 40)) + `"}`,
		`{"model":"claude-sonnet-4-5-20250929","id":"chatcmpl-BXq1J8r7mZ0v3eQWw5kYd2LhTnPc","sha":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}`,
		`{"a":"internationalization understanding responsibilities/acknowledgements"}`,
		`{"signature":"` + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x91\x02\xfe\x80\x7f", 200))) + `"}`,
	} {
		require.Equal(t, body, string(r.Body([]byte(body))))
	}
}

// TestFrames: a value over several frames of an event stream is found; the
// frames stay whole.
func TestFrames(t *testing.T) {
	r := newRedactor(t, redact.Options{})
	chunk := func(b []byte, text string) []byte {
		return eventstream.Append(b, eventstream.Event, "chunk", []byte(`{"bytes":"`+b64(`{"generation":`+quoted(text)+`,"stop_reason":null}`)+`","p":"abcdef"}`))
	}
	delta := func(b []byte, text string) []byte {
		return eventstream.Append(b, eventstream.Event, "contentBlockDelta", []byte(`{"contentBlockIndex":0,"delta":{"text":`+quoted(text)+`},"p":"ab"}`))
	}
	for _, add := range []func([]byte, string) []byte{chunk, delta} {
		var in, want []byte
		for _, text := range []string{"I am x@", "example", ".com, card 4111 1111", " 1111 1111."} {
			in = add(in, text)
		}
		for _, text := range []string{"I am [email]", "", ", card [card]", "."} {
			want = add(want, text)
		}
		got := r.Body(in)
		require.Equal(t, string(want), string(got))
		require.Equal(t, string(want), string(r.Body(got)))
		// A frame that is cut off: what is in it is looked at by itself.
		require.NotContains(t, string(r.Body(append(add(nil, "x@example.com"), in[:20]...))), b64(`{"generation":"x@example.com"`)[:30])
	}
	require.Equal(t, "\x00\x00\x00\x20 no frame", string(r.Body([]byte("\x00\x00\x00\x20 no frame"))))
}

// TestTornFrames: wherever the last frame is cut, what stands in several of the
// whole ones is found, and what is left of the last is looked at by itself.
func TestTornFrames(t *testing.T) {
	whole := newRedactor(t, redact.Options{})
	fields := newRedactor(t, redact.Options{Fields: []string{"*.text"}})
	delta := func(b []byte, text string) []byte {
		return eventstream.Append(b, eventstream.Event, "contentBlockDelta", []byte(`{"contentBlockIndex":0,"delta":{"text":`+quoted(text)+`},"p":"ab"}`))
	}
	chunk := func(b []byte, text string) []byte {
		return eventstream.Append(b, eventstream.Event, "chunk", []byte(`{"bytes":"`+b64(`{"generation":`+quoted(text)+`}`)+`"}`))
	}
	for _, add := range []func([]byte, string) []byte{delta, chunk} {
		before, want := add(add(nil, "I am x@exam"), "ple.com, hello"), add(add(nil, "I am [email]"), ", hello")
		last := add(nil, "write to y@example.org or not")
		at := strings.Index(string(last), "y@example.org ")
		for n := range len(last) {
			got := whole.Body(append(before[:len(before):len(before)], last[:n]...))
			require.Equal(t, string(want), string(got[:len(want)]), "cut at %d", n)
			switch rest := string(got[len(want):]); {
			case at >= 0 && n > at+len("y@example.org"):
				require.Equal(t, strings.Replace(string(last[:n]), "y@example.org", "[email]", 1), rest, "cut at %d", n)
			case n < 20:
				require.Equal(t, string(last[:n]), rest, "cut at %d", n)
			}
			require.Equal(t, string(got), string(whole.Body(got)), "cut at %d: redacting twice changes nothing", n)
		}
	}
	// Fields of a torn frame can't be told from the rest: all of it is taken for one.
	for _, before := range [][]byte{nil, delta(nil, "hello")} {
		last := delta(nil, "write")
		for n := range len(last) {
			got := string(fields.Body(append(before[:len(before):len(before)], last[:n]...)))
			require.NotContains(t, got, "wri", "cut at %d", n)
			require.NotContains(t, got, "hello", "cut at %d", n)
		}
	}
	damaged := delta(delta(nil, "I am x@exam"), "ple.com")
	first := len(damaged)
	damaged = append(delta(damaged, "z@example.com"), delta(nil, "y@example.org")...)
	damaged[first+40] ^= 1 // of the third: what follows is looked at all the same
	got := string(whole.Body(damaged))
	require.Equal(t, string(delta(delta(nil, "I am [email]"), "")), got[:len(delta(delta(nil, "I am [email]"), ""))])
	require.NotContains(t, got, "example")
}

// encodings are those that are promised: what was planted survives in none.
var encodings = map[string]func(string) string{
	"plain":          func(s string) string { return s },
	"base64":         b64,
	"URLs":           func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
	"data URL":       func(s string) string { return "data:text/plain;base64," + b64(s) },
	"lines":          func(s string) string { return wrapped(s, 76, "\n") },
	"JSON":           func(s string) string { return `{"inner":` + quoted(s) + `}` },
	"twice":          func(s string) string { return b64(b64(s)) },
	"JSON in base64": func(s string) string { return b64(`{"inner":` + quoted(s) + `}`) },
	"percent":        url.QueryEscape,
	"path":           url.PathEscape,
	"URL":            func(s string) string { return "https://h.example/?q=" + url.QueryEscape(s) + "&n=1" },
}

// FuzzEncoded: JSON stays JSON, and what is planted beside any text, in any of
// the encodings, is not in what they decode to.
func FuzzEncoded(f *testing.F) {
	for _, line := range append(lines(f, "found.txt"), lines(f, "kept.txt")...) {
		f.Add(line)
	}
	f.Add("%41%")
	f.Add("a+b/")
	r, err := redact.New(redact.Options{Key: key})
	if err != nil {
		f.Fatal(err)
	}
	const planted = "planted@example.com"
	f.Fuzz(func(t *testing.T, before string) {
		r.Text(before)
		r.Body([]byte(before))
		if strings.Contains(before, "planted") || !utf8.ValidString(before) || strings.ContainsFunc(before, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			return
		}
		for name, encode := range encodings {
			encoded := encode(before + " " + planted)
			body := []byte(`{"before":` + quoted(before) + `,"a":` + quoted(encoded) + `,"b":[` + quoted("see "+encoded+" there") + `]}`)
			out := r.Body(body)
			require.True(t, json.Valid(out), "%s: %q became %q", name, body, out)
			require.NotContains(t, revealed(string(out), 0), "planted", "%s: %q became %q", name, body, out)
		}
	})
}

// revealed is a text with all that it, and the strings of the JSON that it may
// be, decode to.
func revealed(s string, depth int) string {
	out := s
	if depth > 6 {
		return out
	}
	add := func(more string) {
		if more != s && more != "" {
			out += "\n" + revealed(more, depth+1)
		}
	}
	var v any
	if json.Unmarshal([]byte(s), &v) == nil {
		var walk func(v any)
		walk = func(v any) {
			switch v := v.(type) {
			case string:
				add(v)
			case []any:
				for _, x := range v {
					walk(x)
				}
			case map[string]any:
				for k, x := range v {
					add(k)
					walk(x)
				}
			}
		}
		walk(v)
		return out
	}
	for _, word := range append(strings.FieldsFunc(s, func(c rune) bool { return strings.ContainsRune(" ,;?&", c) }), strings.ReplaceAll(s, "\n", "")) {
		word = strings.TrimRight(word, "=")
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if plain, err := e.DecodeString(word); err == nil && len(plain) >= 9 && utf8.Valid(plain) {
				add(string(plain))
			}
		}
	}
	if plain, err := url.QueryUnescape(s); err == nil {
		add(plain)
	}
	return out
}

func BenchmarkEncoded(b *testing.B) {
	r := newRedactor(b, redact.Options{Key: key})
	for name, text := range map[string]string{"nothing": "Lorem ipsum dolor, ", "found": "Lorem ipsum x@example.com, "} {
		for _, n := range []int{1500, 1 << 20} {
			body := []byte(`{"data":"` + b64(strings.Repeat(text, n*3/4/len(text))) + `"}`)
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					r.Body(body)
				}
			})
		}
	}
}
