package jsontext_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect/jsontext"
)

var texts = []string{
	`{}`, `[]`, `""`, `0`, `-0.5e+10`, `true`, `false`, `null`, ` { "a" : [ 1 , { } , "x" ] , "b" : null } `, `"\u00e9\ud83d\ude00\ud800x\"\\\/\b\f\n\r\t"`,
	``, ` `, `{`, `}`, `[`, `]`, `{]`, `[}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `[1,]`, `[,]`, `[1 2]`, `{"a":1 "b":2}`, `tru`, `truex`, `nul`, `01`, `-`, `1.`, `.1`,
	`1e`, `+1`, `"`, `"\x"`, `"\u12"`, `"\u123g"`, "\"\x01\"", `"a`, `"\`, `{"a":1}}`, `[1]]`, `1 2`, `'a'`, `NaN`, "\xff", "\"\xff\"", "\u00a01", `{1:2}`, `{"a"::1}`,
	`{"abcdefgh\n":"12345678\"","é":[[[]]]}`, `[[[[{"a":{"b":[1,{"c":"d"}]}}]]]]`, "\"" + strings.Repeat("x", 100) + "\\\\\"", "[1e5,-1E-5,0.0]",
}

func TestScan(t *testing.T) {
	for _, text := range texts {
		members, err := jsontext.Scan([]byte(text))
		valid := json.Valid([]byte(text)) && utf8.ValidString(text)
		assert.Equal(t, valid, err == nil, text)
		if err != nil {
			assert.Empty(t, members)
			assert.NotEmpty(t, err.Error())
			continue
		}
		checkMembers(t, text, members)
	}
}

// checkMembers holds members against what encoding/json reads.
func checkMembers(t *testing.T, text string, members jsontext.Members) {
	var want map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &want) != nil {
		assert.Empty(t, members)
		return
	}
	last := map[string]string{}
	for _, m := range members {
		last[m.Key] = text[m.Start:m.End]
		assert.Equal(t, byte('"'), text[m.KeyStart])
	}
	assert.Len(t, last, len(want))
	for key, raw := range want {
		assert.Equal(t, string(raw), last[key], text)
	}
}

func TestBounds(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for text, want := range map[string]jsontext.Fault{
		nested(jsontext.MaxDepth):                    0,
		nested(jsontext.MaxDepth + 1):                jsontext.FaultDepth,
		strings.Repeat(`{"a":`, jsontext.MaxDepth+1): jsontext.FaultDepth,
		strings.Repeat("1", jsontext.MaxNumber):      0,
		strings.Repeat("1", jsontext.MaxNumber+1):    jsontext.FaultNumber,
		"[\"\xc3\"]": jsontext.FaultEncoding,
		"[":          jsontext.FaultSyntax,
		`{` + strings.Repeat(`"a":1,`, jsontext.MaxMembers-1) + `"a":1}`: 0,
		`{` + strings.Repeat(`"a":1,`, jsontext.MaxMembers) + `"a":1}`:   jsontext.FaultMembers,
	} {
		_, err := jsontext.Scan([]byte(text))
		var got jsontext.Fault
		if err != nil {
			got = err.Fault
		}
		assert.Equal(t, want, got, text[:min(len(text), 40)])
	}
	_, err := jsontext.Scan([]byte("[\"ab\xc3\"]"))
	require.NotNil(t, err)
	assert.Equal(t, 4, err.Offset)
}

func TestEdits(t *testing.T) {
	object := []byte(`{ "a" : 1 , "b":[2] ,"c":3}`)
	members, err := jsontext.Scan(object)
	require.Nil(t, err)
	for i, want := range []string{`{ "b":[2] ,"c":3}`, `{ "a" : 1 ,"c":3}`, `{ "a" : 1 , "b":[2]}`} {
		assert.Equal(t, want, string(jsontext.Apply(object, members.Without(i))))
	}
	assert.Equal(t, `{ "a" : 1 , "b":x ,"c":3}`, string(jsontext.Apply(object, members.With("b", "x"))))
	assert.Equal(t, `{ "a" : 1 , "b":[2] ,"c":3,"d\"":4}`, string(jsontext.Apply(object, members.With(`d"`, "4"))))
	one := []byte(`{"a":1}`)
	members, _ = jsontext.Scan(one)
	assert.Equal(t, `{}`, string(jsontext.Apply(one, members.Without(0))))
	assert.Equal(t, `{"a":"x y\" z","b":[1,2]}`, string(jsontext.AppendCompact(nil, []byte(" { \"a\" : \"x y\\\" z\" ,\n\"b\":[ 1,\t2 ]}\r\n"))))
}

func TestParseKeepsTheLastOfEqualKeys(t *testing.T) {
	var many strings.Builder
	for i := range 20 {
		many.WriteString(`"` + strings.Repeat("k", i+1) + `":0,`)
	}
	for _, text := range []string{`{"k":1,"x":2,"\u006b":3}`, `{` + many.String() + `"x":2,"k":3}`} {
		v := jsontext.Parse([]byte(text))
		k, ok := v.Get("k")
		require.True(t, ok)
		assert.Equal(t, "3", string(k.Raw))
		assert.Equal(t, "k", v.Keys()[0])
		assert.Len(t, v.Items(), len(v.Keys()))
	}
}

// FuzzScan holds the scanner, the tree, strings and the Python messages
// against encoding/json.
func FuzzScan(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		members, err := jsontext.Scan(text)
		if err != nil {
			if err.Fault == jsontext.FaultSyntax {
				require.False(t, json.Valid(text))
				message, at := jsontext.PythonError(text)
				require.NotEmpty(t, message)
				require.LessOrEqual(t, at, utf8.RuneCount(text))
			}
			return
		}
		require.True(t, json.Valid(text))
		checkMembers(t, string(text), members)
		v := jsontext.Parse(text)
		var want, got any
		require.NoError(t, decodeExactly(text, &want))
		require.NoError(t, decodeExactly(jsontext.AppendCompact(nil, v.Raw), &got))
		require.Equal(t, want, got)
		if s, ok := want.(string); ok {
			require.Equal(t, s, v.Text())
			var back string
			require.NoError(t, json.Unmarshal(jsontext.AppendString(nil, s), &back))
			require.Equal(t, s, back)
		}
	})
}

func TestEach(t *testing.T) {
	for _, text := range []string{`[]`, `[ ]`, `[1]`, `[ 1 , -2.5e3,"a,]\"" , [ 1,[2] ] ,{"a":[1,{"]":2}]}, true,null ,false ]`, `[[],{},""]`, `{}`, `1`, ``} {
		var got []string
		jsontext.Each([]byte(text), func(i int, item []byte) {
			assert.Equal(t, len(got), i)
			got = append(got, string(item))
		})
		var want []json.RawMessage
		_ = json.Unmarshal([]byte(text), &want)
		require.Len(t, got, len(want), text)
		for i := range want {
			assert.Equal(t, string(want[i]), got[i])
		}
	}
}

// decodeExactly keeps numbers as they are written: the scanner takes whole
// numbers that no float64 holds.
func decodeExactly(text []byte, into *any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}
