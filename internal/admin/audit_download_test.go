package admin_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/identity"
)

// slowReader is a client that reads nothing until it is told to.
type slowReader struct {
	*httptest.ResponseRecorder
	begun chan<- struct{}
	read  <-chan struct{}
	once  sync.Once
}

func (s *slowReader) Write(b []byte) (int, error) {
	s.once.Do(func() { s.begun <- struct{}{} })
	<-s.read
	return s.ResponseRecorder.Write(b)
}

// TestDownloadsOfOneUserAreBounded: one user can't keep others from downloading.
func TestDownloadsOfOneUserAreBounded(t *testing.T) {
	w := newWorld(t)
	w.exchanges2()
	u, err := w.identity.CreateUser(t.Context(), identity.User{Name: "reader", Roles: []string{identity.RoleAuditor}})
	require.NoError(t, err)
	w.tokens["reader"] = w.issue(identity.Token{Name: "test", UserID: u.ID})
	paths := []string{trailPath, "/api/aigateway/v1/audit", "/v4/aigateway/audit/download", "/v4/aigateway/audit/download?useJson=true"}

	begun, read := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	replies := make([]*slowReader, len(paths))
	for i, path := range paths { // one of each kind, which count together
		replies[i] = &slowReader{ResponseRecorder: httptest.NewRecorder(), begun: begun, read: read}
		req := httptest.NewRequest(http.MethodGet, "http://gateway.test"+path, nil)
		req.Header.Set("Authorization", "Bearer "+w.tokens["reader"])
		if path == trailPath {
			req.Header.Set("Accept", "application/x-ndjson")
		}
		all.Go(func() { w.handler.ServeHTTP(replies[i], req) })
	}
	for range paths {
		select {
		case <-begun:
		case <-time.After(time.Minute):
			close(read)
			t.Fatal("a download does not begin")
		}
	}
	released := sync.OnceFunc(func() { close(read) })
	t.Cleanup(released)
	for _, path := range paths {
		refused := w.as("reader", "GET", path, "", "Accept", "application/x-ndjson").must(429)
		require.Equal(t, "too_many_downloads", refused.at("code"), path)
		require.Empty(t, refused.header.Get("Content-Disposition"), "an error is no file")
		w.as("root", "GET", path, "", "Accept", "application/x-ndjson").must(200)
	}
	w.as("reader", "GET", trailPath, "").must(200) // a page is no download
	released()
	all.Wait()
	for i, path := range paths {
		require.Equal(t, 200, replies[i].Code, path)
		require.Contains(t, replies[i].Body.String(), "x-1", path)
		w.as("reader", "GET", path, "", "Accept", "application/x-ndjson").must(200)
	}
}
