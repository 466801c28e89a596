package provider_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/extproc/dialect"
	"sluice/extproc/provider"
	"sluice/extproc/provider/kit"
)

// TestGoogleCases plays what was seen of MLflow's own server with Google's
// providers: a client's request, the provider's, and the replies.
func TestGoogleCases(t *testing.T) {
	b, err := os.ReadFile("testdata/google/cases.json")
	require.NoError(t, err)
	var cases []googleCase
	require.NoError(t, json.Unmarshal(b, &cases))
	require.Len(t, cases, 7)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { c.play(t) })
	}
}

type googleCase struct {
	Name           string
	Provider       string
	EndpointType   string `json:"endpoint_type"`
	EndpointConfig struct {
		Model struct {
			Name   string
			Config map[string]string
		}
	} `json:"endpoint_config"`
	ClientRequest    struct{ Body json.RawMessage } `json:"client_request"`
	ExpectedUpstream struct {
		URL     string
		Headers map[string]string
		Body    json.RawMessage
	} `json:"expected_upstream"`
	UpstreamResponse struct {
		Status      int
		ContentType string `json:"content_type"`
		Body        json.RawMessage
	} `json:"upstream_response"`
	Want struct {
		Status      int
		ContentType string `json:"content_type"`
		Body        json.RawMessage
		RawSSE      string `json:"raw_sse"`
	} `json:"expected_client_response"`
}

func (c googleCase) play(t *testing.T) {
	op := provider.OperationOf(c.EndpointType)
	req, e := dialect.Parse(dialect.Route{Dialect: dialect.MLflow, Operation: op, Endpoint: "e"}, op, "application/json", c.ClientRequest.Body)
	require.Nil(t, e)
	target := provider.Target{Provider: c.Provider, Model: c.EndpointConfig.Model.Name, Config: c.EndpointConfig.Model.Config}
	require.Empty(t, provider.Check(target, c.EndpointType))
	env := provider.Env{Now: func() time.Time { return time.Unix(1700000000, 0) }, ExchangeID: "ex-1"}
	call, e := provider.Open(target, req, env)
	require.Nil(t, e)

	up := call.Upstream()
	want, err := url.Parse(c.ExpectedUpstream.URL)
	require.NoError(t, err)
	address, err := provider.AddressOf(target)
	require.NoError(t, err)
	require.Equal(t, provider.Address{TLS: true, Host: want.Host, Port: 443}, address)
	require.Equal(t, want.RequestURI(), up.Path)
	require.JSONEq(t, string(c.ExpectedUpstream.Body), string(up.Body))
	c.checkHeaders(t, target, up)

	if c.Want.RawSSE != "" {
		var stream string
		require.NoError(t, json.Unmarshal(c.UpstreamResponse.Body, &stream))
		out, done := call.Chunk([]byte(stream), true)
		require.True(t, done)
		require.Nil(t, call.Err())
		require.Equal(t, c.Want.RawSSE, string(out))
		require.Equal(t, c.Want.ContentType, call.StreamContentType())
		return
	}
	header := func(name string) string {
		return map[string]string{"content-type": c.UpstreamResponse.ContentType}[name]
	}
	r := call.Complete(c.UpstreamResponse.Status, header, c.UpstreamResponse.Body)
	require.Equal(t, c.Want.Status, r.Status)
	require.Equal(t, c.Want.ContentType, r.ContentType)
	require.Equal(t, jsonTokens(t, c.Want.Body), jsonTokens(t, r.Body), "%s", r.Body)
}

// checkHeaders: the token of Vertex AI is not made here, but named.
func (c googleCase) checkHeaders(t *testing.T, target provider.Target, up provider.Upstream) {
	got := map[string]string{}
	for _, h := range up.Headers {
		got[h[0]] = h[1]
	}
	p, ok := provider.Lookup(target.Provider)
	require.True(t, ok)
	if p.Credential != nil {
		credential, ok := p.Credential(target)
		require.True(t, ok)
		require.Equal(t, kit.Google, credential.Kind)
		require.NotContains(t, got, "authorization")
		got["authorization"] = "Bearer gcp-token"
	}
	for name, value := range c.ExpectedUpstream.Headers {
		require.Equal(t, value, got[strings.ToLower(name)], name)
	}
}

// jsonTokens are the tokens of a JSON text, with the order of its keys.
func jsonTokens(t *testing.T, b []byte) (all []json.Token) {
	t.Helper()
	require.True(t, json.Valid(b), "%s", b)
	d := json.NewDecoder(bytes.NewReader(b))
	for {
		token, err := d.Token()
		if err != nil {
			return all
		}
		all = append(all, token)
	}
}
