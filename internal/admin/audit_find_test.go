package admin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/admin"
	"sluice/internal/audit"
	"sluice/internal/identity"
)

const trailPath = "/api/sluice/v1/audit"

// found are the ids of exchanges in a page or in lines.
func found(t *testing.T, body string) (ids []string) {
	t.Helper()
	if !strings.HasPrefix(body, `{"records"`) {
		body = `{"records":[` + strings.ReplaceAll(strings.TrimSpace(body), "\n", ",") + `]}`
	}
	var page struct {
		Records []struct {
			ID       string          `json:"id"`
			Exchange *audit.Exchange `json:"exchange"`
		} `json:"records"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &page), body)
	for _, r := range page.Records {
		if r.Exchange != nil {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

func (w *world) exchanges2() {
	w.create("a", nil)
	w.create("b", nil)
	now := time.Now().UTC()
	for i, endpoint := range []string{"a", "b", "a"} {
		w.exchange(fmt.Sprintf("x-%d", i), endpoint, now.Add(time.Duration(i)*time.Millisecond), fmt.Sprintf(`{"q":"Question %d"}`, i), `{"a":1}`)
	}
	x := &audit.Exchange{ID: "x-bob", Time: now, ClientAddr: "198.51.100.9", Provider: "bedrock", Model: "nova",
		Caller: &identity.Caller{UserID: w.users["bob"], UserName: "bob", Organizations: []string{w.science}}}
	require.NoError(w.t, w.trail.Refuse(x, nil, &audit.Outcome{Result: audit.ResultDenied, Status: 403, Message: "Ask for access."}))
}

func TestTrailIsNarrowedInEveryWay(t *testing.T) {
	w := newWorld(t)
	w.exchanges2()
	for query, want := range map[string][]string{
		"endpointNames=b":                   {"x-1"},
		"organizations=science":             {"x-bob"},
		"organizations=" + w.science:        {"x-bob"},
		"organizations=arts":                nil,
		"projects=climate&descending=false": {"x-0", "x-1", "x-2"},
		"executions=run-7&limit=1":          {"x-2"},
		"providers=bedrock":                 {"x-bob"},
		"models=nova&models=none":           {"x-bob"},
		"results=denied":                    {"x-bob"},
		"statuses=4xx":                      {"x-bob"},
		"statuses=200-299&endpointNames=b":  {"x-1"},
		"statuses=403&users=alice":          nil,
		"targetTypes=endpoint&targetNames=b&kinds=AccessEndpoint": {"x-1"},
		"addresses=198.51.100.9":                                  {"x-bob"},
		"text=QUESTION+1":                                         {"x-1"},
		"text=ask+for":                                            {"x-bob"},
		"text=question&text=2":                                    {"x-2"},
	} {
		assert.Equal(t, want, found(t, w.as("root", "GET", trailPath+"?"+query, "").must(200).body), query)
		lines := w.as("root", "GET", trailPath+"?"+query, "", "Accept", "application/x-ndjson").must(200)
		assert.Equal(t, "application/x-ndjson", lines.header.Get("Content-Type"))
		assert.Equal(t, want, found(t, lines.body), query)
	}
	for query, field := range map[string]string{
		"statuses=many": "statuses", "results=denid": "results", "kinds=AccessEndpoint&kinds=CreateTokens": "kinds", "follow=true&kinds=x": "kinds", "statuses=500-400": "statuses", "cursors=true": "cursors", "follow=perhaps": "follow",
		"follow=true&cursor=!": "cursor", "follow=true&cursor=bm90IGEgbWFyaw": "cursor", "text=" + strings.Repeat("a", 2000): "text",
	} {
		assert.Equal(t, field, w.as("root", "GET", trailPath+"?"+query, "").must(400).at("field"), query)
	}
	refused := w.as("root", "GET", trailPath+"?kinds=CreateTokens", "").must(400).at("error")
	assert.Contains(t, refused, `no records of the kind "CreateTokens"`)
	assert.Contains(t, refused, "AccessEndpoint, ActivateConfiguration,", "those that there are")
	assert.Contains(t, refused, "CreateToken,")
}

func TestReadingBodiesOfManyIsRecorded(t *testing.T) {
	w := newWorld(t)
	w.exchanges2()
	events := func() (out []*audit.Event) {
		for _, r := range w.records() {
			if r.Event != nil && r.Event.Kind == "ReadAuditRecords" {
				out = append(out, r.Event)
			}
		}
		return out
	}
	assert.NotContains(t, w.as("root", "GET", trailPath, "").must(200).body, "Question")
	require.Empty(t, events())
	assert.Contains(t, w.as("root", "GET", trailPath+"?bodies=true&users=alice", "").must(200).body, "Question 1")
	require.Len(t, events(), 1)
	assert.Equal(t, map[string]string{"filter": "bodies=true&users=alice", "records": "3"}, events()[0].Metadata)
	w.as("root", "GET", trailPath+"?text="+canary, "").must(200)
	require.Len(t, events(), 2)
	assert.Equal(t, fmt.Sprintf("text=%d+bytes", len(canary)), events()[1].Metadata["filter"])
	lines := w.as("root", "GET", trailPath+"?bodies=true&projects=climate", "", "Accept", "application/x-ndjson").must(200).body
	assert.Contains(t, lines, "Question 2")
	require.Len(t, events(), 4)
	assert.Equal(t, "begun", events()[2].Metadata["state"])
	assert.Equal(t, map[string]string{"filter": "bodies=true&projects=climate", "records": "3", "state": "ended"}, events()[3].Metadata)
	for query, want := range map[string]string{ // however a list is spelled
		"text[]=" + canary:                              fmt.Sprintf("text=%d+bytes", len(canary)),
		"text%5B%5D=" + canary:                          fmt.Sprintf("text=%d+bytes", len(canary)),
		"text=ab&text[]=" + canary + "&users[]=bob":     fmt.Sprintf("text=2+bytes&text=%d+bytes&users=bob", len(canary)),
		"bodies=true&cursors=&limit=5&descending=false": "bodies=true&cursors=&descending=false&limit=5",
		"bodies=true&text[]=&startTime=2026-01-01":      "bodies=true&startTime=2026-01-01",
	} {
		before := len(events())
		w.as("root", "GET", trailPath+"?"+query, "").must(200)
		all := events()
		require.Len(t, all, before+1, query)
		assert.Equal(t, want, all[before].Metadata["filter"], query)
	}
	w.trail.broken.Store(true)
	w.as("root", "GET", trailPath+"?bodies=true", "").must(503)
	w.as("root", "GET", trailPath+"?bodies=true", "", "Accept", "application/x-ndjson").must(503)
}

func TestStreamsAreCompressedAsTheClientLikes(t *testing.T) {
	w := newWorld(t)
	w.exchanges2()
	for path, accept := range map[string]string{
		trailPath: "application/x-ndjson", "/api/aigateway/v1/audit": "application/json",
		"/v4/aigateway/audit/download": "*/*", "/v4/aigateway/audit/download?useJson=true": "*/*",
	} {
		plain := w.as("root", "GET", path, "", "Accept", accept).must(200)
		require.Empty(t, plain.header.Get("Content-Encoding"))
		require.Contains(t, plain.body, "x-1")
		for header, want := range map[string]string{"gzip, deflate": "gzip", "gzip, zstd": "zstd", "zstd;q=0, gzip;q=0.5": "gzip"} {
			r := w.raw("root", path, "Accept", accept, "Accept-Encoding", header)
			require.Equal(t, 200, r.Code)
			require.Equal(t, want, r.Header().Get("Content-Encoding"))
			text, err := io.ReadAll(decoded(t, want, r.Body))
			require.NoError(t, err)
			require.Equal(t, plain.body, string(text))
		}
	}
}

func decoded(t *testing.T, encoding string, from io.Reader) io.Reader {
	var out io.Reader
	var err error
	if encoding == "zstd" {
		out, err = zstd.NewReader(from)
	} else {
		out, err = gzip.NewReader(from)
	}
	require.NoError(t, err)
	return out
}

// raw sends a request whose reply the description can't be held to.
func (w *world) raw(user, path string, headers ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest("GET", "http://gateway.test"+path, nil)
	req.Header.Set("Authorization", "Bearer "+w.tokens[user])
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, req)
	return rec
}

// followed is a stream that is followed.
type followed struct {
	t      *testing.T
	lines  *bufio.Scanner
	cancel func()
	status int
}

func (w *world) follow(t *testing.T, server, user, query string) *followed {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", server+trailPath+"?follow=true&"+query, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+w.tokens[user])
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { res.Body.Close() })
	return &followed{t, bufio.NewScanner(res.Body), cancel, res.StatusCode}
}

// next is the next line that is not empty; "" at the end.
func (f *followed) next() string {
	for f.lines.Scan() {
		if line := f.lines.Text(); line != "" {
			return line
		}
	}
	return ""
}

func (f *followed) id() string {
	f.t.Helper()
	ids := found(f.t, f.next())
	require.Len(f.t, ids, 1)
	return ids[0]
}

func TestTrailIsFollowed(t *testing.T) {
	w := newWorld(t)
	w.exchanges2()
	stopping := make(chan struct{})
	w.serve(func(d *admin.Deps) { d.Stopping = stopping })
	server := httptest.NewServer(w.handler)
	t.Cleanup(server.Close) // behind the followers

	all := w.follow(t, server.URL, "root", "endpointNames=b")
	cursors := w.follow(t, server.URL, "root", "kinds=AccessEndpoint&cursors=true")
	require.Contains(t, cursors.next(), `{"cursor":`)
	w.exchange("y-a", "a", time.Now(), `{"q":"Question"}`, `{}`)
	w.exchange("y-b", "b", time.Now(), `{"q":"Question"}`, `{}`)
	begin := time.Now()
	line := all.next()
	latency := time.Since(begin)
	t.Logf("a record is shown %v after its answer", latency)
	require.Less(t, latency, 30*time.Second)
	require.Equal(t, []string{"y-b"}, found(t, line))
	require.NotContains(t, line, "Question", "nobody asked for bodies")

	// Broken off at any place and taken up again at the last cursor, nothing is
	// lost, and what comes twice was behind that cursor.
	var seen []string
	var cursor string
	for len(seen) < 2 {
		line := cursors.next()
		var at struct {
			Cursor string `json:"cursor"`
		}
		if require.NoError(t, json.Unmarshal([]byte(line), &at)); at.Cursor != "" {
			cursor = at.Cursor
			continue
		}
		seen = append(seen, found(t, line)...)
	}
	require.Equal(t, []string{"y-a", "y-b"}, seen)
	require.NoError(t, json.Unmarshal([]byte(cursors.next()), &struct{ Cursor *string }{&cursor}))
	cursors.cancel()
	w.exchange("y-c", "a", time.Now(), `{}`, `{}`)
	again := w.follow(t, server.URL, "root", "kinds=AccessEndpoint&cursor="+url.QueryEscape(cursor))
	require.Equal(t, "y-c", again.id())

	close(stopping)
	require.Empty(t, again.next(), "the end of the gateway ends it in order")
	require.NoError(t, again.lines.Err())
}

func TestFollowersAreBounded(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(w.handler)
	t.Cleanup(server.Close) // behind the followers
	var all []*followed
	for i := range 8 {
		user := fmt.Sprintf("watcher-%d", i)
		u, err := w.identity.CreateUser(t.Context(), identity.User{Name: user, Roles: []string{identity.RoleAuditor}})
		require.NoError(t, err)
		w.tokens[user] = w.issue(identity.Token{Name: "test", UserID: u.ID})
		for range 4 {
			all = append(all, w.follow(t, server.URL, user, ""))
			require.Equal(t, 200, all[len(all)-1].status)
		}
		if i == 0 {
			require.Equal(t, "too_many_followers", w.as(user, "GET", trailPath+"?follow=true", "").must(429).at("code"), "one user can't take all")
		}
	}
	require.Equal(t, 503, w.follow(t, server.URL, "root", "").status)
	all[0].cancel()
	require.Eventually(t, func() bool { return w.follow(t, server.URL, "root", "").status == 200 }, time.Minute, 20*time.Millisecond)
	require.Equal(t, 503, w.follow(t, server.URL, "root", "").status, "the place of one is given once")
	for _, f := range all {
		f.cancel()
	}
	require.Eventually(t, func() bool { return w.follow(t, server.URL, "watcher-7", "").status == 200 }, time.Minute, 20*time.Millisecond)
}

// TestPagesAreBounded: whoever asks for a thousand records with bodies gets as many
// as fit in memory, and the place of the next; filters are bounded too.
func TestPagesAreBounded(t *testing.T) {
	w := newWorld(t)
	w.create("a", nil)
	now := time.Now().UTC()
	long := `{"q":"` + strings.Repeat("long ", 2<<20) + `"}` // 10 MiB
	for i := range 3 {
		w.exchange(fmt.Sprintf("x-%d", i), "a", now.Add(time.Duration(i)*time.Millisecond), long, `{}`)
	}
	var all []string
	for path := trailPath + "?kinds=AccessEndpoint&limit=1000&bodies=true"; ; {
		body := w.as("root", "GET", path, "").must(200).body
		require.Less(t, len(body), 21<<20)
		all = append(all, found(t, body)...)
		var page struct {
			Next string `json:"next"`
		}
		require.NoError(t, json.Unmarshal([]byte(body), &page))
		if page.Next == "" {
			break
		}
		require.LessOrEqual(t, len(all), 3)
		path = trailPath + "?kinds=AccessEndpoint&limit=1000&bodies=true&cursor=" + page.Next
	}
	require.Equal(t, []string{"x-2", "x-1", "x-0"}, all)
	require.Len(t, found(t, w.as("root", "GET", trailPath+"?kinds=AccessEndpoint&limit=1000", "").must(200).body), 3)
	for _, name := range []string{"users", "organizations", "statuses", "models", "text"} {
		w.as("root", "GET", trailPath+"?"+strings.Repeat(name+"=404&", 201), "").must(400)
		w.as("root", "GET", trailPath+"?"+strings.Repeat(name+"=404&", 16), "").must(200)
	}
}
