package e2e_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/e2e/rig"
)

// TestARecordIsShownSoonAfterItsAnswer follows the trail through Envoy while calls
// are made, past the time in which Envoy would end an idle stream, and until the
// gateway ends in order.
func TestARecordIsShownSoonAfterItsAnswer(t *testing.T) {
	t.Parallel() // it waits, mostly
	g := rig.Start(t, rig.Options{Limits: "{ idle_timeout: 8s }"})
	req, err := http.NewRequest("GET", g.URL+"/api/sluice/v1/audit?follow=true&kinds=AccessEndpoint", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+g.AdminToken)
	follower := *g.HTTP
	follower.Timeout = 0
	resp, err := follower.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, 200, resp.StatusCode)
	type line struct {
		id string
		at time.Time
	}
	lines := make(chan line, 100)
	ended := make(chan error, 1)
	go func() {
		in := bufio.NewScanner(resp.Body)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			var r struct{ ID string }
			if json.Unmarshal(in.Bytes(), &r) == nil {
				lines <- line{r.ID, time.Now()}
			}
		}
		ended <- in.Err()
	}()
	var delays []time.Duration
	call := func() {
		r := g.Call("POST", "/v1/chat/completions", g.UserToken, `{"model":"chat-openai",`+hello[1:])
		answered := time.Now()
		require.Equal(t, 200, r.Status, r.Body)
		select {
		case shown := <-lines:
			require.Equal(t, r.Header.Get("X-Request-Id"), shown.id)
			delays = append(delays, max(0, shown.at.Sub(answered)))
		case <-time.After(time.Minute):
			t.Fatal("the record was not shown")
		}
	}
	for range 20 {
		call()
	}
	time.Sleep(10 * time.Second) // longer than Envoy lets a stream be idle
	call()
	slices.Sort(delays)
	t.Logf("a record is shown after its answer: median %v, at most %v", delays[len(delays)/2], delays[len(delays)-1])
	require.Less(t, delays[len(delays)/2], time.Second)
	g.Stop()
	require.NoError(t, <-ended, "the end of the gateway ends it in order")
}
