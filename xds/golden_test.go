package xds_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"sluice/internal/egress"
	"sluice/xds"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden compares each builder's resource with testdata/NAME.json. Look at
// the difference when one changes, then run with -update.
func TestGolden(t *testing.T) {
	addr := netip.MustParseAddrPort
	openai := xds.Upstream{TLS: true, Host: "api.openai.com", Port: 443}
	cases := map[string]proto.Message{
		"http-manager":         manager(),
		"ext-proc":             xds.ExtProc(),
		"local-replies":        xds.LocalReplyConfig(),
		"listener-tls":         tlsListener(t, xds.NoClientCertificates),
		"listener-tls-clients": tlsListener(t, xds.RequiredClientCertificates),
		"listener-plain":       listener(t, xds.PlainListener, "127.0.0.1:8080"),
		"listener-inside":      xds.InsideListener("/run/inside.sock", time.Minute),
		"routes-none":          xds.RouteConfiguration(nil, nil, 32<<20, time.Minute),
		"routes":               xds.RouteConfiguration([]xds.Upstream{openai, {Local: "practice"}, {Host: "10.0.0.1", Port: 8000}}, nil, 32<<20, time.Minute),
		"ext-proc-upstream":    xds.ExtProcUpstream(),
		"route-group":          xds.GroupRoute(xds.Group{Attempts: 3, HeadTimeout: 20 * time.Second}, time.Minute),
		"cluster-staged":       xds.UpstreamCluster(xds.Upstream{TLS: true, Host: "api.openai.com", Port: 443, Staged: true}, nil, false),
		"cluster-extproc":      xds.ExtProcCluster("/run/extproc.sock"),
		"cluster-control":      xds.ControlCluster("/run/control.sock"),
		"cluster-tls":          xds.UpstreamCluster(openai, nil, false),
		"cluster-tls-ip":       xds.UpstreamCluster(xds.Upstream{TLS: true, Host: "192.0.2.7", Port: 8443}, nil, false),
		"cluster-plain":        xds.UpstreamCluster(xds.Upstream{Host: "llm.internal", Port: 8000}, nil, false),
		"cluster-proxied":      xds.UpstreamCluster(openai, nil, true),
		"cluster-local":        xds.UpstreamCluster(xds.Upstream{Local: "practice"}, map[string]string{"practice": "/run/practice.sock"}, false),
		"endpoints":            xds.LoadAssignment(openai, egress.Place{Addresses: []netip.AddrPort{addr("192.0.2.1:443"), addr("192.0.2.2:443"), addr("[2001:db8::1]:443")}}),
		"endpoints-v6":         xds.LoadAssignment(openai, egress.Place{Addresses: []netip.AddrPort{addr("[2001:db8::1]:443")}}),
		"endpoints-none":       xds.LoadAssignment(openai, egress.Place{}),
		"endpoints-proxied":    xds.LoadAssignment(openai, egress.Place{Proxy: addr("10.0.0.3:3128")}),
		"secret-server":        xds.ServerSecret([]byte("CERT"), []byte("KEY")),
		"secret-clients":       xds.ClientsSecret([]byte("CA"), []byte("CRL")),
		"secret-roots":         xds.RootsSecret([]byte("ROOTS")),
	}
	for name, m := range cases {
		t.Run(name, func(t *testing.T) {
			got := normal(t, m)
			file := filepath.Join("testdata", name+".json")
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(file, got, 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err, "run with -update to write it")
			require.Equal(t, string(want), string(got))
		})
	}
}

func listener(t *testing.T, build func(string, time.Duration) (*listenerv3.Listener, error), addr string) proto.Message {
	t.Helper()
	l, err := build(addr, 5*time.Minute)
	require.NoError(t, err)
	l.FilterChains[0].Filters[0].ConfigType = nil // that is http-manager.json
	return l
}

func manager() proto.Message {
	m := xds.HTTPManager(5 * time.Minute)
	m.LocalReplyConfig = nil // that is local-replies.json
	return m
}

// normal is the message as JSON with sorted keys and plain spacing: protojson
// varies its own on purpose.
func normal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	require.NoError(t, err)
	var v any
	require.NoError(t, json.Unmarshal(raw, &v))
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	require.NoError(t, e.Encode(v))
	return b.Bytes()
}

// TestFilterOrder holds what the security of the gateway rests on.
func TestFilterOrder(t *testing.T) {
	var names []string
	for _, f := range xds.HTTPFilters() {
		names = append(names, f.GetName())
	}
	require.Equal(t, []string{"private-headers", "remember", "control-body", "extproc", "router"}, names)
}

// TestValid runs Envoy's own field rules over every builder's resource.
func TestValid(t *testing.T) {
	for _, m := range []interface{ ValidateAll() error }{
		xds.HTTPManager(time.Minute), xds.ExtProc(), xds.ExtProcCluster("/s"),
		xds.UpstreamCluster(xds.Upstream{TLS: true, Host: "h", Port: 1}, nil, true),
		xds.RouteConfiguration([]xds.Upstream{{Host: "h", Port: 1}}, nil, 1, time.Minute),
	} {
		require.NoError(t, m.ValidateAll())
	}
}

func TestListenAddressIsChecked(t *testing.T) {
	for _, bad := range []string{"", "8443", "example.com:8443", "127.0.0.1:x", "127.0.0.1:70000"} {
		_, err := xds.TLSListener(bad, time.Minute, xds.NoClientCertificates)
		require.Error(t, err, bad)
	}
}

func tlsListener(t *testing.T, clients xds.ClientCertificates) *listenerv3.Listener {
	t.Helper()
	l, err := xds.TLSListener("127.0.0.1:8443", 5*time.Minute, clients)
	require.NoError(t, err)
	if clients == xds.NoClientCertificates {
		// That is http-manager.json, but for one header; see TestTLSFacts.
		l.FilterChains[0].Filters[0].ConfigType = nil
		return l
	}
	// Only what differs from http-manager.json.
	var m hcmv3.HttpConnectionManager
	require.NoError(t, l.FilterChains[0].Filters[0].GetTypedConfig().UnmarshalTo(&m))
	l.FilterChains[0].Filters[0].ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: xds.Pack(&hcmv3.HttpConnectionManager{
		EarlyHeaderMutationExtensions: m.EarlyHeaderMutationExtensions,
		ForwardClientCertDetails:      m.ForwardClientCertDetails, SetCurrentClientCertDetails: m.SetCurrentClientCertDetails,
	})}
	return l
}
