// Package envoy knows the Envoy binary: which version is wanted and where it
// is (Find), what it is started with (Bootstrap), how it is kept running,
// drained and stopped (Supervisor), and how it is asked (Admin).
package envoy

// Version is the one version of Envoy that Sluice runs. The package that
// carries it is pinned by hash in tools/envoy-requirements.txt.
const Version = "1.40.0"
