package routing_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"sluice/internal/routing"
)

func TestFind(t *testing.T) {
	type route struct{ name string }
	var table routing.Table[route]
	table.Add("GET /things/{id}", &route{"read"})
	table.Add("DELETE /things/{id}", &route{"delete"})
	for _, c := range []struct {
		method, path, name string
		status             int
	}{
		{"GET", "/things/7", "read", 0}, {"HEAD", "/things/7", "read", 0}, {"DELETE", "/things/7", "delete", 0},
		{"POST", "/things/7", "", 405}, {"GET", "/others", "", 404},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		found, status, allow := table.Find(r)
		assert.Equal(t, c.status, status, c)
		if c.name == "" {
			assert.Nil(t, found, c)
			assert.Equal(t, status == 405, allow != "", c)
			continue
		}
		require.NotNil(t, found, c)
		assert.Equal(t, c.name, found.name)
		assert.Equal(t, "7", r.PathValue("id"))
	}
}

func TestClean(t *testing.T) {
	for path, clean := range map[string]bool{"/a/b": true, "/a/": true, "/": true, "/a//b": false, "/a/../b": false, "/a/.": false} {
		assert.Equal(t, clean, routing.Clean(path), path)
	}
}

func TestRecovered(t *testing.T) {
	core, logs := observer.New(zap.ErrorLevel)
	r := httptest.NewRequest("GET", "/", nil)
	recovered := func(v any, begun bool) bool { return routing.Recovered(v, zap.New(core), "panic", "x-1", r, begun) }
	assert.False(t, recovered(nil, false))
	assert.Empty(t, logs.All())
	assert.True(t, recovered("oh", false))
	assert.Equal(t, "x-1", logs.TakeAll()[0].ContextMap()["exchange"])
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { recovered("oh", true) })
	assert.Len(t, logs.TakeAll(), 1)
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { recovered(http.ErrAbortHandler, false) })
	assert.Empty(t, logs.All(), "who aborts has said why")
}
