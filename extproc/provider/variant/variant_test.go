package variant_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect/jsontext"
	"sluice/extproc/provider/variant"
)

func TestFlatten(t *testing.T) {
	for body, want := range map[string]string{
		`{"choices":[{"message":{"content":"a"}}]}`: `{"choices":[{"message":{"content":"a"}}]}`,
		" \n{\"choices\": [ {\"message\" : {\"content\" : [ {\"type\":\"text\",\"text\":\"a\"}, {\"type\":\"text\",\"text\":\"b\"} ], \"role\":\"x\"} } ] }": `{"choices": [ {"message" : {"content":"a|b","role":"x"} } ] }`,
		`{"choices":[{"message":{"content":[]}},{"message":{"content":[{"type":"text","text":"x"}]}}]}`:                                                      `{"choices":[{"message":{"content":null}},{"message":{"content":"x"}}]}`,
		`{"choices":[{"message":{"content":[{"type":"thinking","thinking":"t"},{"type":"news"},3]}}]}`:                                                       `{"choices":[{"message":{"content":null,"reasoning_content":"t"}}]}`,
		`{"choices":[{"message":{"content":[{"type":"reasoning","summary":[{"text":"a","signature":"s"},{"text":"b","signature":"u"}]}]}}]}`:                 `{"choices":[{"message":{"content":null,"reasoning_content":"ab","thinking_blocks":[{"type":"thinking","thinking":"a","signature":"s"},{"type":"thinking","thinking":"b","signature":"u"}]}}]}`,
		`{"choices":[{"message":{"content":"say \"content\":[1]"}}]}`:                                                                                        `{"choices":[{"message":{"content":"say \"content\":[1]"}}]}`,
		`[]`: `[]`,
	} {
		assert.Equal(t, want, string(variant.Flatten("|")([]byte(body))), body)
	}
}

// FuzzFlatten: valid JSON stays so, whole or as a chunk.
func FuzzFlatten(f *testing.F) {
	f.Add(`{"choices":[{"message":{"content":[{"type":"text","text":"a"}]},"delta":{"content":[{"type":"thinking","thinking":[{"text":"x"}],"signature":"s"}]}}]}`)
	f.Add(`{"content":[],"choices":{"message":{"content":[]}}}`)
	f.Fuzz(func(t *testing.T, body string) {
		if !jsontext.Valid([]byte(body)) {
			return
		}
		require.True(t, jsontext.Valid(variant.Flatten("\n")([]byte(body))))
		edit := variant.FlattenEvents()
		for range 2 {
			require.True(t, jsontext.Valid(edit([]byte(body))))
		}
	})
}

func BenchmarkFlattenEventWithoutList(b *testing.B) {
	chunk := []byte(`{"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"` + strings.Repeat("a", 20) + `"},"finish_reason":null}]}`)
	edit := variant.FlattenEvents()
	b.ReportAllocs()
	for b.Loop() {
		edit(chunk)
	}
}
