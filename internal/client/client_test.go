package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/admin/api"
	"sluice/internal/client"
)

func newClient(t *testing.T, h http.HandlerFunc) *client.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := client.New(client.Options{Server: server.URL + "/prefix/", Token: "slu_x"})
	require.NoError(t, err)
	return c
}

func TestRequests(t *testing.T) {
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/prefix/api/aigateway/v1/endpoints/a%2Fb%20c", r.URL.EscapedPath(), "a name is one segment")
		assert.Equal(t, "Bearer slu_x", r.Header.Get("Authorization"))
		_, _ = w.Write([]byte(`{"endpointName":"a/b c"}`))
	})
	e, err := c.GetEndpoint(context.Background(), "a/b c")
	require.NoError(t, err)
	assert.Equal(t, "a/b c", e.EndpointName)
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name, body string
		status     int
		want       client.Error
		text       string
	}{
		{"a field", `{"error":"Bad.","code":"invalid_field","field":"limit.calls","requestId":"r"}`, 400,
			client.Error{Status: 400, Code: "invalid_field", Message: "Bad.", Field: "limit.calls", RequestID: "r"}, "Bad."},
		{"denied", `{"requestId":"r","errors":["No.","Never."],"code":"denied"}`, 403,
			client.Error{Status: 403, Code: "denied", Message: "No. Never.", RequestID: "r"}, "No. Never."},
		{"of a call of a model", `{"error":{"message":"Too many.","code":"rate_limit","param":null}}`, 429,
			client.Error{Status: 429, Code: "rate_limit", Message: "Too many."}, "Too many."},
		{"of the gateway", `{"error":"Broken.","code":"internal_error","requestId":"r"}`, 500,
			client.Error{Status: 500, Code: "internal_error", Message: "Broken.", RequestID: "r"}, "Broken. (request id r)"},
		{"not JSON", `<html>`, 502, client.Error{Status: 502}, "The gateway answered with status Bad Gateway."},
		{"a redirect is not followed", ``, 302, client.Error{Status: 302}, "The gateway answered with status Found."},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://elsewhere.example/")
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			})
			_, err := cl.Self(context.Background())
			var got *client.Error
			require.ErrorAs(t, err, &got)
			assert.Equal(t, c.want, *got)
			assert.Equal(t, c.text, err.Error())
			assert.True(t, errors.Is(err, &client.Error{Status: c.status}))
			assert.False(t, errors.Is(err, &client.Error{Status: 418}))
		})
	}
}

func TestAllPages(t *testing.T) {
	asked := 0
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		name := strconv.Itoa(offset)
		_, _ = w.Write([]byte(`{"endpoints":[{"endpointName":"` + name + `"},{"endpointName":"` + name + `+1"}],"metadata":{"totalCount":5}}`))
	})
	all, err := c.AllEndpoints(context.Background(), "x")
	require.NoError(t, err)
	assert.Len(t, all, 6)
	assert.Equal(t, 3, asked)
}

func TestOptions(t *testing.T) {
	for _, server := range []string{"", "nowhere", "ftp://x", "https://"} {
		_, err := client.New(client.Options{Server: server})
		assert.ErrorContains(t, err, "is not a URL")
	}
	_, err := client.New(client.Options{Server: "https://x", CAFile: "/does/not/exist"})
	assert.ErrorContains(t, err, "reading the CA file")
	c, err := client.New(client.Options{Server: "http://127.0.0.1:1"})
	require.NoError(t, err)
	_, err = c.ListAudit(context.Background(), url.Values{})
	assert.ErrorContains(t, err, "calling http://127.0.0.1:1")
}

func TestVersioned(t *testing.T) {
	var sent []string
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.Method+r.Header.Get("If-Match"))
		w.Header().Set("ETag", `"1"`)
		_, _ = w.Write([]byte("{}"))
	})
	ctx := client.Versioned(context.Background())
	_, err := c.GetEndpoint(ctx, "x")
	require.NoError(t, err)
	_, err = c.UpdateEndpoint(ctx, "x", api.EndpointPatch{})
	require.NoError(t, err)
	_, err = c.UpdateEndpoint(context.Background(), "x", api.EndpointPatch{})
	require.NoError(t, err)
	assert.Equal(t, []string{"GET", `PATCH"1"`, "PATCH"}, sent)
}
