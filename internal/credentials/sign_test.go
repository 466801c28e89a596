package credentials_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/extproc/provider/kit"
	"sluice/internal/credentials"
)

// goldens are requests that botocore signed: testdata/generate.py.
type goldens struct {
	Now   time.Time
	Cases []struct {
		Name, Method, Path, Host, Region, Service, Authorization, Date string

		Key     string `json:"access_key_id"`
		Secret  string `json:"secret_access_key"`
		Token   string `json:"session_token"`
		Headers [][2]string
		Body    []byte
		Repeat  int
	}
}

func readGoldens(t testing.TB) goldens {
	t.Helper()
	b, err := os.ReadFile("testdata/signatures.json")
	require.NoError(t, err)
	var g goldens
	require.NoError(t, json.Unmarshal(b, &g))
	require.NotEmpty(t, g.Cases)
	return g
}

func fixed(now time.Time) *credentials.Manager {
	return credentials.New(credentials.Options{HTTP: &http.Client{}, Now: func() time.Time { return now }})
}

func TestSignaturesAreBotocores(t *testing.T) {
	g := readGoldens(t)
	m := fixed(g.Now)
	t.Cleanup(m.Close)
	for _, c := range g.Cases {
		t.Run(c.Name, func(t *testing.T) {
			source := m.For(credential(kit.AWS, "region", c.Region, "service", c.Service,
				"access_key_id", c.Key, "secret_access_key", c.Secret, "session_token", c.Token))
			// What a provider's row, or a client, has put where the credential goes
			// gives way; what is not signed passes.
			stale := [][2]string{
				{"accept", "application/json"}, {"user-agent", "x"}, {"Authorization", "Bearer stale"},
				{"X-Amz-Date", "20000101T000000Z"}, {"x-amz-security-token", "stale"}, {"x-amz-content-sha256", "UNSIGNED-PAYLOAD"},
			}
			before := slices.Concat(stale, c.Headers)
			up := kit.Upstream{
				Method: c.Method, Path: c.Path, Headers: before[:len(before):len(before)],
				Body: bytes.Repeat(c.Body, max(c.Repeat, 1)),
			}
			require.NoError(t, source.Authorize(t.Context(), &up, c.Host))
			require.Equal(t, slices.Concat(stale, c.Headers), before, "the caller's own slice is not written to")

			got := headers(up)
			require.Equal(t, []string{c.Authorization}, got.Values("authorization"))
			require.Equal(t, []string{c.Date}, got.Values("x-amz-date"))
			require.Equal(t, "application/json", got.Get("accept"))
			if c.Token == "" {
				require.Empty(t, got.Values("x-amz-security-token"))
			} else {
				require.Equal(t, []string{c.Token}, got.Values("x-amz-security-token"))
			}
			for _, h := range up.Headers[len(up.Headers)-3:] {
				require.Equal(t, strings.ToLower(h[0]), h[0], "HTTP/2 names are lower case")
			}
			if !strings.Contains(c.Path, "?") {
				require.Equal(t, c.Path, up.Path)
			}

			// A second attempt signs afresh, whatever the first one left.
			require.NoError(t, source.Authorize(t.Context(), &up, c.Host))
			require.Equal(t, []string{c.Authorization}, headers(up).Values("authorization"))
		})
	}
}

// TestQueryIsSentAsItIsSigned: "+" and a name without "=" can be read in two
// ways, so that the wire says what the signature says.
func TestQueryIsSentAsItIsSigned(t *testing.T) {
	m := fixed(time.Unix(1_700_000_000, 0))
	t.Cleanup(m.Close)
	source := m.For(awsKeys())
	sign := func(path string) (kit.Upstream, error) {
		up := kit.Upstream{Method: http.MethodGet, Path: path}
		err := source.Authorize(t.Context(), &up, "bedrock.us-east-1.amazonaws.com")
		return up, err
	}
	odd, err := sign("/x?b=1+2&a&c=%7e")
	require.NoError(t, err)
	require.Equal(t, "/x?a=&b=1%202&c=~", odd.Path)
	even, err := sign(odd.Path)
	require.NoError(t, err)
	require.Equal(t, even, odd)
	for _, path := range []string{"/x?a=%zz", "/x?a=1;b=2"} {
		_, err = sign(path)
		require.ErrorContains(t, err, "query")
	}
}

func TestBatchIsSignedOneByOne(t *testing.T) {
	m := fixed(time.Unix(1_700_000_000, 0))
	t.Cleanup(m.Close)
	source := m.For(awsKeys())
	up := kit.Upstream{Method: http.MethodPost, Path: "/x", Batch: [][]byte{[]byte("1"), []byte("2")}}
	require.ErrorContains(t, source.Authorize(t.Context(), &up, "h"), "one body at a time")
	require.Empty(t, up.Headers)
	var signatures []string
	for _, body := range up.Batch {
		one := up
		one.Batch, one.Body = nil, body
		require.NoError(t, source.Authorize(t.Context(), &one, "h"))
		signatures = append(signatures, headers(one).Get("authorization"))
	}
	require.NotEqual(t, signatures[0], signatures[1])
}

func awsKeys() kit.Credential {
	return credential(kit.AWS, "region", "us-east-1", "service", "bedrock",
		"access_key_id", "AKIDEXAMPLE", "secret_access_key", "wJalrXUtnFEMI/K7MDENG")
}

func FuzzAuthorize(f *testing.F) {
	for _, c := range readGoldens(f).Cases {
		f.Add(c.Method, c.Path, c.Host, "content-type", "x", c.Body)
	}
	f.Add("", "?", "", "X-AMZ-", " \x00 ", []byte(nil))
	f.Add("GET", "//../..?a=b&a", "[::1]:443", "x-amz-a", "b", []byte("x"))
	m := fixed(time.Unix(1_700_000_000, 0))
	f.Cleanup(m.Close)
	source := m.For(awsKeys())
	f.Fuzz(func(t *testing.T, method, path, host, name, value string, body []byte) {
		up := kit.Upstream{Method: method, Path: path, Headers: [][2]string{{name, value}}, Body: body}
		if source.Authorize(t.Context(), &up, host) != nil {
			return
		}
		again := up
		require.NoError(t, source.Authorize(t.Context(), &again, host))
		require.Equal(t, up, again, "signing what was signed changes nothing")
	})
}
