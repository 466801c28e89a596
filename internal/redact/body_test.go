package redact_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sluice/internal/redact"
)

// TestMarks: equal values have equal marks however they are written, others
// others; without the key nobody can make them.
func TestMarks(t *testing.T) {
	r := newRedactor(t, redact.Options{Key: key})
	for name, same := range map[string][]string{
		"email":  {"Alice@Example.com", "alice@example.com", "alice%40example.com"},
		"card":   {"4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111"},
		"phone":  {"+49 170 1234567", "+491701234567", "0049 170 1234567", "+49 (0)170 1234567", "+49-170/1234567"},
		"iban":   {"DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "de89370400440532013000"},
		"us_ssn": {"536-90-4399", "ssn 536904399"},
	} {
		first := ""
		for _, s := range same {
			mark := r.Text(s)
			mark = mark[strings.IndexByte(mark, '['):]
			require.Regexp(t, `^\[`+name+`:[0-9a-f]{12}\]$`, mark, s)
			if first == "" {
				first = mark
			}
			require.Equal(t, first, mark, s)
		}
	}
	require.NotEqual(t, r.Text("a@example.com"), r.Text("b@example.com"))
	other := newRedactor(t, redact.Options{Key: []byte("another")})
	require.NotEqual(t, r.Text("a@example.com"), other.Text("a@example.com"))
	none := newRedactor(t, redact.Options{})
	require.Equal(t, "[email]", none.Text("a@example.com"))
	require.Equal(t, "[email] [email]", none.Text("a@example.com b@example.com"))
}

func TestBodies(t *testing.T) {
	plain := redact.Options{}
	for name, c := range map[string]struct {
		opts     redact.Options
		in, want string
	}{
		"numbers that are cards": {plain,
			`{"card":4111111111111111,"seed":42,"n":[4111111111111111 , 1.5],"phone":491701234567}`,
			`{"card":"[card]","seed":42,"n":["[card]" , 1.5],"phone":"[phone]"}`},
		"a number in JSON in a string": {plain,
			`{"arguments":"{\"card\":4111111111111111}"}`, `{"arguments":"{\"card\":\"[card]\"}"}`},
		"JSON in JSON in JSON": {plain,
			`{"a":"{\"b\":\"{\\\"c\\\":\\\"x\\\\u0040example.com\\\",\\\"d\\\":4111111111111111}\"}"}`,
			`{"a":"{\"b\":\"{\\\"c\\\":\\\"[email]\\\",\\\"d\\\":\\\"[card]\\\"}\"}"}`},
		"all but what was found stays as it is": {plain,
			"{ \"a\" : \"\\u00e9 \\/ x@example.com \\ud83d\\ude00\" ,\r\n \"b\":1.50e3 }",
			"{ \"a\" : \"\\u00e9 \\/ [email] \\ud83d\\ude00\" ,\r\n \"b\":1.50e3 }"},
		"secrets by their name": {plain,
			`{"password":"hunter2","x":{"api_key":"a\"b","Client-Secret":"c","secret":{"type":"string"},"access_token":null},"max_tokens":5,"token":"t","tokenizer":"o200k"}`,
			`{"password":"[named_secret]","x":{"api_key":"[named_secret]","Client-Secret":"[named_secret]","secret":{"type":"string"},"access_token":null},"max_tokens":5,"token":"t","tokenizer":"o200k"}`},
		"tokens of a text": {plain,
			`{"logprobs":true,"choices":[{"logprobs":{"content":[{"token":"x@","bytes":[120,64]}]},"text":"x@example.com"},{"logprobs":null}],"top_logprobs":5}`,
			`{"logprobs":true,"choices":[{"logprobs":null,"text":"[email]"},{"logprobs":null}],"top_logprobs":5}`},
		"fields": {redact.Options{Detectors: []string{"card"}, Fields: []string{"messages.*.content", "*.email", "user"}},
			`{"user":"u","messages":[{"role":"user","content":"hi"},{"role":"user","content":[{"type":"text","text":"a","n":7,"ok":true}]}],"x":{"user":"v","email":"e","emails":"f"},"email":"g","arguments":"{\"email\":\"h\"}"}`,
			`{"user":"[field]","messages":[{"role":"user","content":"[field]"},{"role":"user","content":[{"type":"[field]","text":"[field]","n":"[field]","ok":true}]}],"x":{"user":"v","email":"[field]","emails":"f"},"email":"[field]","arguments":"{\"email\":\"[field]\"}"}`},
		"detectors that are off": {redact.Options{Detectors: []string{"email"}},
			`{"a":"x@example.com 4111111111111111 +491701234567","password":"p"}`, `{"a":"[email] 4111111111111111 +491701234567","password":"p"}`},
		"a group of detectors": {redact.Options{Detectors: []string{"secrets"}},
			`{"a":"x@example.com AKIAIOSFODNN7EXAMPLE"}`, `{"a":"x@example.com [api_key]"}`},
		"a value over several events": {plain,
			"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"I am al\"}},{\"index\":1,\"delta\":{\"content\":\"+49 17\"}}]}\n\n" +
				"data: {\"id\":\"c\",\"choices\":[{\"index\":1,\"delta\":{\"content\":\"0 1234567\"}},{\"index\":0,\"delta\":{\"content\":\"ice\"}}]}\r\n\r\n" +
				"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"@example.c\"}}]}\n\n" +
				"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"om, hello\"}}]}\n\ndata: [DONE]\n\n",
			"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"I am [email]\"}},{\"index\":1,\"delta\":{\"content\":\"[phone]\"}}]}\n\n" +
				"data: {\"id\":\"c\",\"choices\":[{\"index\":1,\"delta\":{\"content\":\"\"}},{\"index\":0,\"delta\":{\"content\":\"\"}}]}\r\n\r\n" +
				"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"}}]}\n\n" +
				"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\", hello\"}}]}\n\ndata: [DONE]\n\n"},
		"a tool's arguments over several events": {plain,
			"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"to\\\":\\\"bob\"}}\n\n" +
				"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\\\\u0040example.com\\\"\"}}\n\n",
			"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"to\\\":\\\"[email]\"}}\n\n" +
				"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\\\"\"}}\n\n"},
		"one value a line": {plain, "{\"text\":\"x@exam\"}\n{\"text\":\"ple.com\"}\n", "{\"text\":\"[email]\"}\n{\"text\":\"\"}\n"},
		"a form with a file": {plain,
			"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\r\n{\"a\":\"x\\u0040example.com\"}\n{\"n\":4111111111111111}\r\n--b\r\nContent-Disposition: form-data; name=\"u\"\r\n\r\n+49 170 1234567\r\n--b--\r\n",
			"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\r\n{\"a\":\"[email]\"}\n{\"n\":\"[card]\"}\r\n--b\r\nContent-Disposition: form-data; name=\"u\"\r\n\r\n[phone]\r\n--b--\r\n"},
		"binary with text": {plain, "\x00\x01\xff{\"a\":\"x@example.com\"}\xfe", "\x00\x01\xff{\"a\":\"[email]\"}\xfe"},
		"pictures are left": {plain, `{"url":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"}`,
			`{"url":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"}`},
		"nothing": {plain, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := string(newRedactor(t, c.opts).Body([]byte(c.in)))
			require.Equal(t, c.want, got)
			require.Equal(t, json.Valid([]byte(c.in)), json.Valid([]byte(got)))
			require.Equal(t, c.want, string(newRedactor(t, c.opts).Body([]byte(got))), "redacting twice changes nothing")
		})
	}
}

func TestText(t *testing.T) {
	r := newRedactor(t, redact.Options{})
	require.Equal(t, "user=[email]&phone=[phone]&x=1", r.Text("user=a.b%40example.com&phone=%2B49%20170%201234567&x=1"))
	require.Equal(t, "alt=sse&key=[api_key]", r.Text("alt=sse&key=AIzaSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe"))
	require.Equal(t, "100% sure", r.Text("100% sure"))
}

func TestBadOptions(t *testing.T) {
	for want, o := range map[string]redact.Options{
		`detector "mail" is not known`: {Detectors: []string{"mail"}},
		`field "a..b" is not a path`:   {Fields: []string{"a..b"}},
		"has more than":                {Fields: []string{strings.Repeat("a.", 40) + "b"}},
	} {
		_, err := redact.New(o)
		require.ErrorContains(t, err, want)
	}
}

// hostile are bodies that would take long where work grew faster than they do.
func hostile(n int) map[string][]byte {
	rep := func(s string) []byte { return bytes.Repeat([]byte(s), n/len(s)) }
	return map[string][]byte{
		"@": rep("@"), "digits": rep("7"), "a@a.a": rep("a@a.a"), "quotes": rep(`"`), "backslashes": rep(`\`), "\\u0040": rep(`\u0040`),
		"nested": rep("["), "nested whole": append(rep("["), rep("]")...), "groups": rep("12 34 "), "dots": rep("1.2."), "sk-": rep("sk-a"), "eyJ": rep("eyJa"), "eyJ.": rep("eyJabcdefghijk."),
		"begin": rep("-----BEGIN PRIVATE KEY-----"), "urls": rep("://a:"), "brackets": rep("[email:"), "plus": rep("+49 "), "parens": rep("(0"), "iban": rep("DE89 "),
		"colons": rep("::a:"), "events": rep("data: {\"a\":\"x\"}\n\n"), "lines": rep("{\"a\":1}\n"), "letters": rep("abcdefg"), "forms": append([]byte("--b\r\n\r\n"), rep("--b\r\n\r\n")...),
		"JSON":        append(append([]byte(`{"a":"`), rep(`x@example.com 4111111111111111 `)...), `"}`...),
		"phone words": rep("tel 1234567 "), "escaped string": append(append([]byte(`{"a":"`), rep(`\\\"`)...), `"}`...),
		"Bearer": rep("Bearer abcdefghijklmnopqrstuvwxyz "), "dashes": rep("a-"), "percent": rep("%40"),
		"percents": rep("%2525"), "pluses": rep("a+"), "base64": rep("eyJhIjoi"), "base64 words": rep("aGVsbG8gd29ybGQh/"),
		"base64 not to its end": append(rep("aGVsbG8gd29ybGQh/"), rep("\xff")...), "base64 lines": rep(strings.Repeat("aGVsbG8g", 9) + "\n"),
		"base64 in base64": encodedTimes(n/4, 5), "names": rep("secret:"), "names of calls": rep("secret:("), "names of values": rep("secret=="),
		"names without values": rep("secret: a "), "layers": layered(n),
	}
}

// encodedTimes is text in base64 in base64, n bytes or so.
func encodedTimes(n, times int) []byte {
	b := bytes.Repeat([]byte("hello a@example.com "), n/20)
	for range times {
		b = base64.StdEncoding.AppendEncode(nil, b)
	}
	return b
}

// layered is text in base64 three times, n bytes or so. Around it there is in each
// layer what redaction takes off as well: backslashes and percent-encoding.
func layered(n int) []byte {
	noise := strings.Repeat(`\`, 16) + " %2525252541 "
	text := strings.Repeat(noise+"hello ", n*27/64/len(noise+"hello ")+1)
	for range 3 {
		text = noise + base64.StdEncoding.EncodeToString([]byte(text)) + " " + noise
	}
	return []byte(text)
}

// spent is the processor time that this goroutine has had: a busy machine adds
// nothing to it.
func spent(t *testing.T) time.Duration {
	var u unix.Rusage
	require.NoError(t, unix.Getrusage(unix.RUSAGE_THREAD, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestHostile: time grows as the body does.
func TestHostile(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := newRedactor(t, redact.Options{Key: key, Detectors: names(), Fields: []string{"*.x", "a.*.b"}})
	for name, body := range hostile(1 << 20) {
		begun := spent(t)
		out := r.Body(body)
		took := spent(t) - begun
		t.Logf("%s: %v", name, took)
		// A megabyte takes some 20 ms; what grows with the square takes minutes.
		require.Less(t, took, 20*time.Second, name)
		require.LessOrEqual(t, len(out), 6*len(body), name)
	}
}

// TestGrowth: four times as many names of secrets take no more than about four
// times as long. What grows with the square takes sixteen times.
func TestGrowth(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := newRedactor(t, redact.Options{Key: key, Detectors: names()})
	for _, name := range []string{"secret:", "secret:(", "secret==", `"secret": `, "secret: a ", `secret:"\`, "secret=[email:"} {
		took := func(n int) time.Duration {
			body := bytes.Repeat([]byte(name), n/len(name))
			begun := spent(t)
			r.Body(body)
			return spent(t) - begun
		}
		few, many := took(32<<10), took(128<<10)
		t.Logf("%s: %v, then %v", name, few, many)
		// Below half a second, clocks of processors and caches say more.
		require.Less(t, many, max(9*few, 500*time.Millisecond), name)
	}
}

// FuzzBody: no body makes redaction fail; JSON stays JSON; what was redacted
// stays as it is; a planted address is gone.
func FuzzBody(f *testing.F) {
	for _, b := range hostile(200) {
		f.Add(b)
	}
	for _, line := range append(lines(f, "found.txt"), lines(f, "kept.txt")...) {
		f.Add([]byte(line))
		f.Add([]byte(`{"a":` + quoted(`{"b":`+quoted(line)+`}`) + `}`))
	}
	f.Add([]byte("data: {\"a\":\"x@exa\"}\n\ndata: {\"a\":\"mple.com\"}\n\n"))
	r, err := redact.New(redact.Options{Key: key, Detectors: names(), Fields: []string{"*.secret_field"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := string(body)
		out := r.Body(body)
		require.Equal(t, before, string(body))
		if trimmed := bytes.TrimSpace(body); json.Valid(body) && utf8.Valid(body) && bytes.ContainsAny(trimmed[:1], `{["`) {
			require.True(t, json.Valid(out), "%q became %q", body, out)
		}
		r.Text(before)
		planted := fmt.Sprintf(`{"text":%s,"to":"planted@example.com","more":"{\"to\":\"planted\u0040example.com\"}"}`, quoted(before))
		out = r.Body([]byte(planted))
		require.True(t, json.Valid(out), "%q became %q", planted, out)
		require.Equal(t, strings.Count(before, "planted"), strings.Count(string(out), "planted"), "%q", out)
	})
}

func bodyOf(size int, text string) []byte {
	message := `{"role":"user","content":"Tell me about \"rabbits\" and é. ` + strings.Repeat(text, size/80) + `"},`
	return []byte(`{"model":"my-endpoint","temperature":0.5,"max_tokens":100,"messages":[` + strings.TrimSuffix(strings.Repeat(message, 4), ",") + `]}`)
}

func BenchmarkBody(b *testing.B) {
	r := newRedactor(b, redact.Options{Key: key})
	for name, body := range map[string][]byte{
		"1.5KB":         bodyOf(1500, "Lorem ipsum dolor, "),
		"1.5KB-numbers": bodyOf(1500, "v1.2.3 at 2026-11-30 "),
		"1.5KB-found":   []byte(strings.Replace(string(bodyOf(1500, "Lorem ipsum dolor, ")), "rabbits", "a@example.com", 1)),
		"64KB":          bodyOf(64<<10, "Lorem ipsum dolor, "),
		"1MB-base64":    []byte(`{"image":"` + strings.Repeat("iVBORw0KGgoAAAANSUhEUgAA+/", 40_000) + `"}`),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				r.Body(body)
			}
		})
	}
}
