package redact_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect/eventstream"
	"sluice/internal/redact"
)

var key = []byte("a key of thirty-two bytes, or so")

func newRedactor(t testing.TB, o redact.Options) *redact.Redactor {
	t.Helper()
	r, err := redact.New(o)
	require.NoError(t, err)
	return r
}

// lines are those of a data file that are neither empty nor comments.
func lines(t testing.TB, file string) (list []string) {
	t.Helper()
	f, err := os.Open("testdata/" + file)
	require.NoError(t, err)
	defer f.Close()
	for scanner := bufio.NewScanner(f); scanner.Scan(); {
		if line := scanner.Text(); line != "" && line[0] != '#' {
			list = append(list, strings.ReplaceAll(line, "¶", "\n"))
		}
	}
	require.NotEmpty(t, list)
	return list
}

func names() (all []string) {
	for _, d := range redact.Detectors() {
		all = append(all, d.Name)
	}
	return all
}

var between = regexp.MustCompile(`(?s)«(.*?)»`)

// forms are ways in which a text comes in a body; back undoes them.
var forms = map[string]func(string) string{
	"text":                      func(s string) string { return s },
	"string":                    func(s string) string { return `{"a":[1,` + quoted(s) + `]}` },
	"key":                       func(s string) string { return `{` + quoted(s) + `:true}` },
	"escaped":                   func(s string) string { return `{"a":"` + escaped(s) + `"}` },
	"JSON in a string":          func(s string) string { return `{"arguments":` + quoted(`{"b":`+quoted(s)+`}`) + `}` },
	"escaped JSON in a string":  func(s string) string { return `{"arguments":` + quoted(`{"b":"`+escaped(s)+`"}`) + `}` },
	"piece of JSON in a string": func(s string) string { return `{"arguments":` + quoted(`,"b":`+quoted("x\n"+s)) + `}` },
	"cut off":                   func(s string) string { return `{"a":` + quoted("\n"+s) + `,"b":["` },
	"events":                    func(s string) string { return "event: x\ndata: {\"delta\":" + quoted(s) + "}\n\n" },
	"form": func(s string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n" + s + "\r\n--b--\r\n"
	},
	"base64": func(s string) string {
		return `{"a":"` + base64.StdEncoding.EncodeToString([]byte("\n        \n"+s)) + `"}`
	},
	"JSON in base64 of URLs": func(s string) string {
		return `{"a":[` + quoted(base64.URLEncoding.EncodeToString([]byte(`{"b":`+quoted(s)+`,"c":1}`))) + `]}`
	},
	"data URL in text": func(s string) string {
		return "see data:text/plain;charset=utf-8;base64," + base64.StdEncoding.EncodeToString([]byte("\n        \n"+s)) + ", and say"
	},
	"base64 in base64": func(s string) string {
		inner := base64.StdEncoding.EncodeToString([]byte("\n        \n" + s))
		return `{"a":"` + base64.StdEncoding.EncodeToString([]byte(`{"data":"`+inner+`"}`)) + `"}`
	},
	"base64 with escapes": func(s string) string {
		return `{"a":"` + strings.ReplaceAll(base64.StdEncoding.EncodeToString([]byte("??>~ \n        \n"+s)), "/", `\/`) + `"}`
	},
	"frames": func(s string) string {
		b := eventstream.Append(nil, eventstream.Event, "chunk", []byte(`{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(`{"generation":`+quoted(s)+`}`))+`","p":"abc"}`))
		return string(eventstream.Append(b, eventstream.Event, "contentBlockDelta", []byte(`{"delta":{"text":`+quoted(s)+`}}`)))
	},
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// escaped writes every character that is not a letter as \u….
func escaped(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 && !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z') {
			b.WriteString(`\u00`)
			b.WriteString("0123456789abcdef"[r>>4:r>>4+1] + "0123456789ABCDEF"[r&15:r&15+1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// TestFound: what the data file names is found, whole and nothing but it, in
// whatever form it comes; and equal values have equal marks.
func TestFound(t *testing.T) {
	all := newRedactor(t, redact.Options{Detectors: names()})
	seen := map[string]bool{}
	for _, line := range lines(t, "found.txt") {
		name, text, ok := strings.Cut(line, "\t")
		require.True(t, ok, line)
		seen[name] = true
		plain := strings.NewReplacer("«", "", "»", "").Replace(text)
		want := between.ReplaceAllString(text, "["+name+"]")
		for form, wrap := range forms {
			body := []byte(wrap(plain))
			got := string(all.Body(body))
			require.Equal(t, wrap(plain), string(body), "the body itself is not changed")
			assert.Equal(t, unescape(wrap(want)), unescape(got), "%s: %s", form, wrap(plain))
			if body[0] == '{' && form != "cut off" && form != "text" {
				require.True(t, json.Valid([]byte(got)), got)
			}
			assert.Equal(t, got, string(all.Body([]byte(got))), "what was redacted stays as it is")
		}
		only := newRedactor(t, redact.Options{Detectors: []string{name}})
		assert.Equal(t, want, only.Text(plain), "with this detector alone")
	}
	for _, name := range names() {
		require.True(t, seen[name] || name == "named_secret", "%s has a case", name)
	}
}

// unescape takes the escapes of letters out, of JSON in JSON too, so that texts
// of different escapes compare.
func unescape(s string) string {
	for range 2 {
		s = unicode.ReplaceAllStringFunc(s, func(e string) string {
			var out string
			if json.Unmarshal([]byte(`"`+e[strings.LastIndexByte(e, '\\'):]+`"`), &out) != nil {
				return e
			}
			return out
		})
	}
	return s
}

var unicode = regexp.MustCompile(`\\+u[0-9a-fA-F]{4}`)

// TestKept: what looks like personal data and is none survives.
func TestKept(t *testing.T) {
	r := newRedactor(t, redact.Options{Key: key})
	for _, line := range lines(t, "kept.txt") {
		for form, wrap := range forms {
			if form == "escaped JSON in a string" || form == "piece of JSON in a string" {
				continue
			}
			assert.Equal(t, wrap(line), string(r.Body([]byte(wrap(line)))), form)
		}
	}
}

// TestDocumented: the page on redaction says of every detector what it does.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/redaction.md")
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(page), "\n## Detectors\n")
	require.True(t, ok)
	for _, d := range redact.Detectors() {
		require.Regexp(t, "\n\\| [^|]*`"+d.Name+"`[^|]*\\| "+d.Group+" \\| [^|]{20,}", table, d.Name)
	}
}
