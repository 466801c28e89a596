package policies_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"sluice/internal/catalog"
	"sluice/internal/identity"
	"sluice/policies"
)

// benchInput is a typical call: the caller is let in by the last of five
// organizations, by an endpoint with 40 grants.
func benchInput(tb testing.TB) *policies.Input {
	w := newWorld(tb)
	user := w.user("ann", "practitioner", "auditor")
	var orgs []string
	for i := range 5 {
		orgs = append(orgs, w.organization(fmt.Sprint("org-", i), user.ID).ID)
	}
	users := make([]string, 40)
	for i := range users {
		users[i] = catalog.NewID()
	}
	return &policies.Input{
		Action: policies.ActionInvoke,
		Caller: w.caller(identity.Token{UserID: user.ID, Project: "fraud"}),
		Endpoint: w.endpoint("chat", catalog.Permissions{
			Users: users, Organizations: []string{catalog.NewID(), orgs[4]},
		}),
		Request: &policies.RequestFacts{
			Dialect: "openai", Operation: "chat", Stream: true, MaxTokens: 1000, BodyBytes: 1500, Tools: []string{"search"},
		},
		SourceAddress: "192.0.2.7",
		Time:          time.Now(),
	}
}

func BenchmarkDecide(b *testing.B) {
	in := benchInput(b)
	stranger := *in
	stranger.Caller = &identity.Caller{UserID: "u", UserName: "n"}
	copied := *in
	caller, endpoint := *in.Caller, *in.Endpoint
	copied.Caller, copied.Endpoint = &caller, &endpoint
	open := *in
	open.Endpoint = newWorld(b).endpoint("open", catalog.Permissions{Everyone: true})
	view := policies.Input{Action: policies.ActionView, Caller: in.Caller, Endpoint: in.Endpoint}
	api := policies.Input{Action: policies.ActionAPI, Caller: in.Caller, Resource: "endpoints", Verb: "list"}

	pure := engine(b, policies.Options{Timeout: time.Minute})
	b.Run("remembered", func(b *testing.B) { decide(b, pure, in) })
	impure := engine(b, policies.Options{Timeout: time.Minute, Sources: []policies.Source{
		{Name: "default"}, {Name: "impure", Dir: "testdata/impure.good"},
	}})
	b.Run("organization", func(b *testing.B) { decide(b, impure, in) })
	b.Run("everyone", func(b *testing.B) { decide(b, impure, &open) })
	b.Run("denied", func(b *testing.B) { decide(b, impure, &stranger) })
	b.Run("view", func(b *testing.B) { decide(b, impure, &view) })
	b.Run("api", func(b *testing.B) { decide(b, impure, &api) })
	b.Run("terms built anew", func(b *testing.B) { decide(b, impure, &copied) })
}

func decide(b *testing.B, e *policies.Engine, in *policies.Input) {
	b.ReportAllocs()
	before := cpuTime()
	for b.Loop() {
		if _, err := e.Decide(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
}

// cpuTime is the CPU time of this process: on a shared machine it says more
// than the clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // can't fail with these arguments
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
