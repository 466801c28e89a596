package credentials_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/extproc/provider/kit"
	"sluice/internal/credentials"
)

func benchmark(b *testing.B, source *credentials.Source, body int) {
	headers := [][2]string{{"content-type", "application/json"}, {"accept", "application/json"}, {"user-agent", "sluice"}}
	content := bytes.Repeat([]byte("x"), body)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		up := kit.Upstream{
			Method: http.MethodPost, Path: "/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/converse", Headers: headers, Body: content,
		}
		if err := source.Authorize(ctx, &up, "bedrock-runtime.us-east-1.amazonaws.com"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthorizeAWS1536(b *testing.B)  { benchmarkAWS(b, 1536) }
func BenchmarkAuthorizeAWS65536(b *testing.B) { benchmarkAWS(b, 65536) }

func benchmarkAWS(b *testing.B, body int) {
	m := credentials.New(credentials.Options{HTTP: &http.Client{}})
	b.Cleanup(m.Close)
	benchmark(b, m.For(awsKeys()), body)
}

type oneAnswer string

func (a oneAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(string(a))), Request: r}, nil
}

func BenchmarkAuthorizeBearer(b *testing.B) {
	token := `{"expires_in":36000,"access_token":"` + strings.Repeat("t", 1500) + `"}`
	m := credentials.New(credentials.Options{HTTP: &http.Client{Transport: oneAnswer(token)}})
	b.Cleanup(m.Close)
	source := m.For(oauthClient("a"))
	require.Eventually(b, func() bool { return source.Ready() == nil }, time.Minute, time.Millisecond)
	benchmark(b, source, 1536)
}
