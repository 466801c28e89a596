package admin_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// verifiedBy waits for the end of a verification.
func (w *world) verifiedBy(user string) *reply {
	w.t.Helper()
	var last *reply
	require.Eventually(w.t, func() bool {
		last = w.as(user, "GET", trailPath+"/verify", "").must(200)
		return last.at("state") != "running"
	}, time.Minute, 5*time.Millisecond)
	return last
}

// TestTheGatewayVerifiesItself: on demand, one at a time, and recorded.
func TestTheGatewayVerifiesItself(t *testing.T) {
	w := newWorld(t)
	w.exchanges2()
	require.Equal(t, "none", w.as("eve", "GET", trailPath+"/verify", "").must(200).at("state"))
	require.Equal(t, "not_verifying", w.as("eve", "DELETE", trailPath+"/verify", "").must(409).at("code"))
	w.as("alice", "POST", trailPath+"/verify", "").must(403)

	started := w.as("eve", "POST", trailPath+"/verify", "").must(202)
	require.Equal(t, "running", started.at("state"))
	done := w.verifiedBy("root")
	require.Equal(t, "whole", done.at("state"), done.body)
	require.Equal(t, "eve", done.at("by"))
	require.NotZero(t, done.at("report", "exchanges"))
	require.Eventually(t, func() bool {
		e := w.lastEvent("VerifyTrail")
		return e != nil && e.Metadata["state"] == "whole"
	}, time.Minute, 5*time.Millisecond)
	require.Equal(t, "eve", w.lastEvent("VerifyTrail").By.UserName)

	w.as("eve", "POST", trailPath+"/verify", `{"from":"1","to":"2"}`).must(202)
	done = w.verifiedBy("root")
	require.Equal(t, "whole", done.at("state"), done.body)
	w.as("eve", "POST", trailPath+"/verify", `{"from":"1000000"}`).must(202)
	done = w.verifiedBy("root")
	require.Equal(t, "failed", done.at("state"), done.body)
	require.Contains(t, done.at("error"), "nothing of this range")
	for body, field := range map[string]string{
		`{"from":"x"}`: "from", `{"to":"x"}`: "to", `{"from":"5","to":"2"}`: "from", `{"from":"2999-01-01"}`: "from", `{"keys":["x"]}`: "keys",
	} {
		require.Equal(t, field, w.as("eve", "POST", trailPath+"/verify", body).must(400).at("field"), body)
	}
	w.trail.broken.Store(true)
	w.as("eve", "POST", trailPath+"/verify", "").must(503)
}

// TestOneVerificationAtATime, and it can be stopped.
func TestOneVerificationAtATime(t *testing.T) {
	w := newWorld(t)
	w.exchanges2()
	w.trail.verifying = make(chan struct{})
	w.as("eve", "POST", trailPath+"/verify", "").must(202)
	second := w.as("root", "POST", trailPath+"/verify", "").must(409)
	require.Equal(t, "verifying", second.at("code"))
	require.Contains(t, fmt.Sprint(second.at("error")), "that eve started")
	w.as("root", "DELETE", trailPath+"/verify", "").must(200)
	require.Equal(t, "stopped", w.verifiedBy("eve").at("state"))
	close(w.trail.verifying)
	w.as("root", "POST", trailPath+"/verify", "").must(202)
	require.Equal(t, "whole", w.verifiedBy("eve").at("state"))
}
