package ui_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"sluice/internal/catalog"
)

const policyHeader = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// Nothing on a page runs or looks by anything but the UI's own files.
func (p *page) inert() {
	p.t.Helper()
	require.Equal(p.t, policyHeader, p.header.Get("Content-Security-Policy"))
	p.each(func(n *html.Node) {
		for _, a := range n.Attr {
			require.False(p.t, strings.HasPrefix(a.Key, "on"), "%s has %s", n.Data, a.Key)
			require.NotEqual(p.t, "style", a.Key, n.Data)
			if a.Key == "href" || a.Key == "src" || a.Key == "action" {
				require.Regexp(p.t, `^(/ui/|#)`, a.Val)
			}
		}
		if n.Data == "script" {
			require.Nil(p.t, n.FirstChild, "an inline script")
			require.Regexp(p.t, `^/ui/assets/`, attr(n, "src"))
		}
		require.NotContains(p.t, []string{"style", "iframe", "object", "embed", "base"}, n.Data)
	})
}

// bold is what people may type; none of it may become markup.
const bold = `<img src=x onerror=alert(1)>"'</script><script>alert(2)</script>`

func TestEveryPageForEveryRole(t *testing.T) {
	w := newWorld(t)
	w.endpoint("shared", func(e *catalog.Endpoint) { e.Targets[0].Model = bold })
	w.endpoint("secret-science", func(e *catalog.Endpoint) {
		e.Permissions = catalog.Permissions{Organizations: []string{w.science}}
	})
	for _, user := range []string{"root", "eve", "alice", "bob"} {
		p := w.get(user, "/ui/").must(200)
		p.inert()
		p.has("Gateway LLMs", "shared", user)
		require.Equal(t, user == "bob", strings.Contains(p.text(), "secret-science"), user)
		w.get(user, "/ui/?view=table&sort=-modelName").must(200).inert()
		w.get(user, "/ui/account").must(200).has("About me").inert()
		w.get(user, "/ui/account/tokens/new").must(200).inert()
		w.get(user, "/ui/endpoints/shared").must(200).inert()
		w.get(user, "/ui/no/such/page").must(404).inert()
	}
	for _, path := range []string{"/ui/", "/ui/?search=x", "/ui/no/such/page"} {
		want := "/ui/sign-in"
		if path != "/ui/" {
			want += "?return=" + url.QueryEscape(path)
		}
		w.get("", path).leads(want)
	}
}

func TestModelsSearchSortAndPaging(t *testing.T) {
	w := newWorld(t)
	w.get("alice", "/ui/").must(200).has("No models yet", "Ask an administrator")
	w.get("root", "/ui/").must(200).has("Make the first one")
	for i := range 30 {
		w.endpoint("model-"+string(rune('a'+i%26))+string(rune('a'+i/26)), func(e *catalog.Endpoint) {
			if i == 7 {
				e.Targets[0].Provider, e.Targets[0].Model, e.Targets[0].Secrets = "anthropic", "claude-sonnet-4-5", map[string]string{"anthropic_api_key": canary}
			}
		})
	}
	w.get("alice", "/ui/").must(200).has("1–25 of 30", "Next").hasNot("Previous")
	w.get("alice", "/ui/?page=2").must(200).has("26–30 of 30", "Previous").hasNot("Next")
	for _, search := range []string{"ropi", "CLAUDE", "model-ha"} {
		w.get("alice", "/ui/?search="+search).must(200).has("model-ha", "Anthropic", "1–1 of 1")
	}
	w.get("alice", "/ui/?search=zzz").must(200).has("Nothing found")
	w.get("alice", "/ui/?view=table&sort=-endpointName").must(200).has("model-za")
	w.get("alice", "/ui/?sort=nonsense&page=-3").must(200).has("model-aa")
}

func TestForgery(t *testing.T) {
	w := newWorld(t)
	dark := url.Values{"theme": {"dark"}, "next": {"/ui/?search=x"}}
	p := w.post("alice", "/ui/theme", clone(dark)).leads("/ui/?search=x")
	require.Contains(t, p.header.Get("Set-Cookie"), "theme=dark")

	none := clone(dark)
	none.Set("csrf", "wrong")
	w.post("alice", "/ui/theme", none).must(403).has("secret of its page")
	none.Set("csrf", w.csrf["bob"])
	w.post("alice", "/ui/theme", none).must(403)

	ok := clone(dark)
	ok.Set("csrf", w.csrf["alice"])
	r := w.request("alice", "POST", "/ui/theme", ok)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w.send(r).must(403).has("another site")

	// What a page carries works, is another each time, and does not hold the secret.
	first, second := hidden(w.get("alice", "/ui/"), "csrf"), hidden(w.get("alice", "/ui/"), "csrf")
	require.NotEqual(t, first, second)
	require.NotContains(t, first, w.csrf["alice"])
	ok.Set("csrf", second)
	w.post("alice", "/ui/theme", ok).must(303)

	for next, want := range map[string]string{
		"https://evil.test/": "/ui/", "//evil.test": "/ui/", "/ui//evil.test": "/ui/", `/ui/\evil.test`: "/ui/",
		"/api/": "/ui/", "javascript:alert(1)": "/ui/", "/ui/?view=table": "/ui/?view=table", "": "/ui/",
	} {
		w.post("alice", "/ui/theme", url.Values{"theme": {""}, "next": {next}}).leads(want)
	}
}

func clone(v url.Values) url.Values {
	out := url.Values{}
	for k, x := range v {
		out[k] = append([]string{}, x...)
	}
	return out
}

// hidden is the value of a hidden field.
func hidden(p *page, name string) (value string) {
	p.each(func(n *html.Node) {
		if n.Data == "input" && attr(n, "name") == name {
			value = attr(n, "value")
		}
	})
	return value
}

func TestASessionThatEndedLeadsToSignIn(t *testing.T) {
	w := newWorld(t)
	w.cookies["alice"].Value = strings.Repeat("A", 43)
	w.get("alice", "/ui/?search=x").leads("/ui/sign-in?ended=ended&return=" + url.QueryEscape("/ui/?search=x"))
	r := w.request("alice", "GET", "/ui/", nil)
	r.Header.Set("HX-Request", "true")
	require.Equal(t, "/ui/sign-in?ended=ended", w.send(r).must(200).header.Get("HX-Redirect"))
	w.post("alice", "/ui/theme", url.Values{"theme": {"dark"}}).leads("/ui/")
}

func TestTheBareAddress(t *testing.T) {
	w := newWorld(t)
	w.get("", "/").leads("/ui/")
	r := w.request("", "GET", "/", nil)
	r.Header.Set("Accept", "application/json")
	require.Contains(t, w.send(r).must(200).body, `"name":"Sluice"`)
}

var assetPath = regexp.MustCompile(`/ui/assets/[a-z.0-9]+`)

// firstLoad is what a browser fetches that has nothing yet, compressed.
func (w *world) firstLoad(user, path string) int {
	r := w.request(user, "GET", path, nil)
	r.Header.Set("Accept-Encoding", "gzip, br")
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	require.Equal(w.t, "gzip", rec.Header().Get("Content-Encoding"))
	total := rec.Body.Len()
	z, err := gzip.NewReader(rec.Body)
	require.NoError(w.t, err)
	plain, err := io.ReadAll(z)
	require.NoError(w.t, err)
	seen := map[string]bool{}
	for _, file := range assetPath.FindAllString(string(plain), -1) {
		if !seen[file] {
			seen[file] = true
			r := w.request("", "GET", file, nil)
			r.Header.Set("Accept-Encoding", "gzip")
			rec := httptest.NewRecorder()
			w.handler.ServeHTTP(rec, r)
			require.Equal(w.t, 200, rec.Code, file)
			require.Equal(w.t, "public, max-age=31536000, immutable", rec.Header().Get("Cache-Control"))
			total += rec.Body.Len()
		}
	}
	require.GreaterOrEqual(w.t, len(seen), 4)
	return total
}

func TestPagesAreLight(t *testing.T) {
	w := newWorld(t)
	for i := range 60 {
		w.endpoint("a-model-with-a-long-name-"+string(rune('a'+i%26))+string(rune('a'+i/26)), nil)
	}
	for _, path := range []string{"/ui/", "/ui/?view=table"} {
		size := w.firstLoad("root", path)
		t.Log(path, size)
		require.Less(t, size, 100<<10)
	}
}

func TestAssets(t *testing.T) {
	w := newWorld(t)
	w.get("", "/ui/assets/no.css").must(404)
	w.get("", "/ui/assets/vendor.md").must(404)
	table, err := os.ReadFile("assets/vendor/vendor.md")
	require.NoError(t, err)
	rows := regexp.MustCompile(`(?m)^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$`).FindAllStringSubmatch(string(table), -1)
	known := map[string]bool{"vendor.md": true}
	for _, row := range rows {
		b, err := os.ReadFile(filepath.Join("assets/vendor", row[1]))
		require.NoError(t, err)
		sum := sha256.Sum256(b)
		require.Equal(t, row[2], hex.EncodeToString(sum[:]), row[1])
		known[row[1]], known[strings.Split(row[1], ".")[0]+".LICENSE"] = true, true
	}
	files, err := os.ReadDir("assets/vendor")
	require.NoError(t, err)
	for _, f := range files {
		require.True(t, known[f.Name()], "%s is not in vendor.md", f.Name())
	}
	own, err := os.ReadFile("assets/app.js")
	require.NoError(t, err)
	require.False(t, bytes.Contains(own, []byte("innerHTML =")), "texts are set as text")
}
