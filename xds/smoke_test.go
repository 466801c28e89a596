package xds_test

import (
	"io"
	"net/http"
	"testing"

	"sluice/internal/envoytest"
	"sluice/xds"
)

func TestSmoke(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("hello " + r.URL.Path)) })
	g := envoytest.Start(t, envoytest.Options{
		Control: h, Local: map[string]http.Handler{"practice": h},
		Upstreams: []xds.Upstream{{Local: "practice"}, {TLS: true, Host: "api.openai.com", Port: 443}},
	})
	r, err := g.Client("h2").Get(g.URL + "/abc")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(r.Body)
	t.Log(r.Status, r.Proto, r.Header, string(b))
	r, err = g.Client("h2").Post(g.URL+"/v1/chat/completions", "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	b, _ = io.ReadAll(r.Body)
	t.Log(r.Status, r.Proto, r.Header, string(b))
	t.Log(g.Plane.Status())
}
