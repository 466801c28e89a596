package egress_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/egress"
)

func TestAmbientClientReachesOnlyWhatIsNear(t *testing.T) {
	near := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/redirect" {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, "identity")
	}))
	t.Cleanup(near.Close)
	dns := lookup(map[string][]string{"inside.test": {"10.0.0.1"}, "meta.test": {"169.254.169.254"}})
	r := rules(t, egress.Options{Lookup: dns, Proxy: "http://127.0.0.1:1"})
	c := r.AmbientClient()
	t.Cleanup(c.CloseIdleConnections)
	fetch := func(url string) (*http.Response, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		resp, err := c.Do(req)
		if err == nil {
			require.NoError(t, resp.Body.Close())
		}
		return resp, err
	}

	resp, err := fetch(near.URL)
	require.NoError(t, err, "a helper on loopback is reached past the proxy and the rules")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	resp, err = fetch(near.URL + "/redirect")
	require.NoError(t, err)
	require.Equal(t, http.StatusFound, resp.StatusCode, "no redirect is followed")

	// Names that only lead to near addresses, and private addresses, go by the rules.
	for _, url := range []string{"http://inside.test/", "http://meta.test/", "http://10.0.0.1/"} {
		_, err = fetch(url)
		require.ErrorIs(t, err, egress.ErrBlocked, url)
		var connect *egress.ConnectError
		require.ErrorAs(t, err, &connect)
	}
	// The endpoints' own client reaches none of these.
	_, err = get(t, r, near.URL)
	require.ErrorIs(t, err, egress.ErrBlocked)
}
