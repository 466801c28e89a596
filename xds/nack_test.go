package xds_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/stretchr/testify/require"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"sluice/internal/envoytest"
	"sluice/xds"
)

// client speaks delta ADS as Envoy does, and refuses what it is told to.
type client struct {
	stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	refuse func(typeURL, name string) string

	mu   sync.Mutex // guards the following field
	sent []string   // "type name" of each resource received, "type -name" of each removed
}

func connect(t *testing.T, socket string, refuse func(typeURL, name string) string) *client {
	t.Helper()
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(t.Context())
	require.NoError(t, err)
	c := &client{stream: stream, refuse: refuse}
	for _, typeURL := range []string{resource.ClusterType, resource.ListenerType} {
		c.ask(t, typeURL, "*")
	}
	c.ask(t, resource.RouteType, "ingress")
	c.ask(t, resource.SecretType, "server", "roots")
	go c.run()
	return c
}

func (c *client) ask(t *testing.T, typeURL string, names ...string) {
	t.Helper()
	require.NoError(t, c.stream.Send(&discoveryv3.DeltaDiscoveryRequest{
		Node: &corev3.Node{Id: "test"}, TypeUrl: typeURL, ResourceNamesSubscribe: names,
	}))
}

func (c *client) run() {
	for {
		r, err := c.stream.Recv()
		if err != nil {
			return
		}
		answer := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()}
		subscribe := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: resource.EndpointType}
		c.mu.Lock()
		for _, res := range r.GetResources() {
			c.sent = append(c.sent, r.GetTypeUrl()+" "+res.GetName())
			if why := c.refuse(r.GetTypeUrl(), res.GetName()); why != "" {
				answer.ErrorDetail = &statuspb.Status{Code: 13, Message: why}
			} else if r.GetTypeUrl() == resource.ClusterType {
				subscribe.ResourceNamesSubscribe = append(subscribe.ResourceNamesSubscribe, res.GetName())
			}
		}
		for _, name := range r.GetRemovedResources() {
			c.sent = append(c.sent, r.GetTypeUrl()+" -"+name)
		}
		c.mu.Unlock()
		if c.stream.Send(answer) != nil || (len(subscribe.ResourceNamesSubscribe) > 0 && c.stream.Send(subscribe) != nil) {
			return
		}
	}
}

func (c *client) received() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.sent)
}

func servePlane(t *testing.T) (plane *xds.ControlPlane, socket string) {
	t.Helper()
	plane, err := xds.New(xds.Options{
		ListenAddr: "127.0.0.1:8443", BodyBytes: 1, IdleTimeout: time.Second, AllowPrivate: true,
		ExtProcSocket: "/e", ControlSocket: "/c",
	})
	require.NoError(t, err)
	socket = filepath.Join(envoytest.Dir(t), "xds.sock")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	envoytest.Go(t, "control plane", func(ctx context.Context) error { return plane.Serve(ctx, l) })
	return plane, socket
}

// TestRejection is reported with the name of what is bad, shown in the status
// until it is gone, not sent again, and does not keep back what is good.
func TestRejection(t *testing.T) {
	plane, socket := servePlane(t)
	good, bad := xds.Upstream{Host: "127.0.0.1", Port: 1}, xds.Upstream{Host: "127.0.0.2", Port: 2}
	c := connect(t, socket, func(typeURL, name string) string {
		if typeURL == resource.ClusterType && name == bad.Key() {
			return "Error adding cluster(s) " + name + ": not to my taste"
		}
		return ""
	})
	envoytest.Eventually(t, time.Minute, func() bool { return plane.Status().Synced() }, func() any { return plane.Status() })

	err := plane.SetUpstreams(t.Context(), []xds.Upstream{good, bad})
	var rejected *xds.RejectedError
	require.True(t, errors.As(err, &rejected), "%v", err)
	require.Equal(t, []string{bad.Key()}, rejected.Names)
	s := plane.Status()
	require.False(t, s.Synced())
	require.Equal(t, "clusters", s.Rejected.Type)
	require.Contains(t, s.Rejected.Message, "not to my taste")
	require.Equal(t, s.Types["clusters"].Resources-1, s.Types["clusters"].Acked, "the good one is in force")

	// Another change goes through, and the bad one is not sent a second time.
	other := xds.Upstream{Host: "127.0.0.3", Port: 3}
	require.NoError(t, plane.SetUpstreams(t.Context(), []xds.Upstream{good, bad, other}))
	n := 0
	for _, r := range c.received() {
		if r == resource.ClusterType+" "+bad.Key() {
			n++
		}
	}
	require.Equal(t, 1, n)

	require.NoError(t, plane.SetUpstreams(t.Context(), []xds.Upstream{good, other}))
	require.Nil(t, plane.Status().Rejected)
	require.True(t, plane.Status().Synced(), "%+v", plane.Status())
}

// TestOrder makes a cluster before the route to it, and removes the route
// before the cluster.
func TestOrder(t *testing.T) {
	plane, socket := servePlane(t)
	c := connect(t, socket, func(string, string) string { return "" })
	envoytest.Eventually(t, time.Minute, func() bool { return plane.Status().Synced() }, func() any { return plane.Status() })
	u := xds.Upstream{Host: "127.0.0.1", Port: 1}
	before := len(c.received())
	require.NoError(t, plane.SetUpstreams(t.Context(), []xds.Upstream{u}))
	require.NoError(t, plane.SetUpstreams(t.Context(), nil))
	require.Equal(t, []string{
		resource.ClusterType + " " + u.Key(), resource.EndpointType + " " + u.Key(), resource.RouteType + " ingress",
		resource.RouteType + " ingress", resource.ClusterType + " -" + u.Key(),
	}, c.received()[before:][:5])
}

// TestSilentEnvoy does not hold a change, or its caller, for ever.
func TestSilentEnvoy(t *testing.T) {
	plane, socket := servePlane(t)
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(t.Context())
	require.NoError(t, err)
	require.NoError(t, stream.Send(&discoveryv3.DeltaDiscoveryRequest{Node: &corev3.Node{Id: "t"}, TypeUrl: resource.ClusterType}))
	_, err = stream.Recv()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err = plane.SetUpstreams(ctx, []xds.Upstream{{Host: "127.0.0.1", Port: 1}})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, stream.CloseSend())
	_ = conn.Close()
	// Once it has gone, nothing is waited for.
	require.NoError(t, plane.SetUpstreams(t.Context(), []xds.Upstream{{Host: "127.0.0.2", Port: 1}}))
	require.NoError(t, plane.Consistent())
}
