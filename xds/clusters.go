package xds

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	codecv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/upstream_codec/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

const (
	connectTimeout  = 10 * time.Second // of an upstream, TLS included
	localTimeout    = 5 * time.Second  // of a unix socket
	upstreamIdle    = 5 * time.Minute  // an upstream connection without a request
	upstreamStreams = 100              // requests on one HTTP/2 connection
	// Of one upstream: far above what one machine can do, so that a limit is
	// met by the gateway's own, which has words for it, not by these.
	maxConnections = 16_384
	maxRequests    = 65_536
	// The ext_proc server and Envoy exchange whole bodies: windows of 64 KB
	// would make a body of 30 MB wait hundreds of times.
	extProcStreamWindow     = 1 << 20
	extProcConnectionWindow = 16 << 20
	// A stream to it for each request under way; the limit of one connection
	// is set by the ext_proc server, Envoy opens another above it.
	upstreamStreamWindow     = 1 << 20
	upstreamConnectionWindow = 16 << 20
)

// upstreamCluster is how an upstream is connected to. Its addresses come by
// EDS, except for a local one, which is a unix socket that never moves.
func upstreamCluster(u Upstream, local map[string]string, proxied bool) *clusterv3.Cluster {
	if u.Local != "" {
		return withLimits(localCluster(u.Key(), local[u.Local], staged(u, http1Only())))
	}
	c := &clusterv3.Cluster{
		Name:                 u.Key(),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{EdsConfig: fromADS()},
		ConnectTimeout:       duration(connectTimeout),
		// Connections of before an address went stay for what runs on them.
		LbPolicy:        clusterv3.Cluster_ROUND_ROBIN,
		TransportSocket: transportSocket(u, proxied),
		UpstreamConnectionOptions: &clusterv3.UpstreamConnectionOptions{
			TcpKeepalive: &corev3.TcpKeepalive{
				KeepaliveProbes: u32(3), KeepaliveTime: u32(30), KeepaliveInterval: u32(10),
			},
		},
	}
	options := http1Only()
	if u.TLS {
		options = byALPN()
	}
	c.TypedExtensionProtocolOptions = protocol(staged(u, options))
	return withLimits(c)
}

// extProcCluster is the ext_proc server, gRPC over a unix socket.
func extProcCluster(socket string) *clusterv3.Cluster {
	return withLimits(localCluster(clusterExtProc, socket, &httpv3.HttpProtocolOptions{
		UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
			ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
				ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
					Http2ProtocolOptions: &corev3.Http2ProtocolOptions{
						InitialStreamWindowSize:     u32(extProcStreamWindow),
						InitialConnectionWindowSize: u32(extProcConnectionWindow),
					},
				},
			},
		},
	}))
}

// controlCluster is the control server, HTTP/1.1 over a unix socket.
func controlCluster(socket string) *clusterv3.Cluster {
	return withLimits(localCluster(clusterControl, socket, http1Only()))
}

func localCluster(name, socket string, options *httpv3.HttpProtocolOptions) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                          name,
		ClusterDiscoveryType:          &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		ConnectTimeout:                duration(localTimeout),
		TypedExtensionProtocolOptions: protocol(options),
		LoadAssignment: &endpointv3.ClusterLoadAssignment{
			ClusterName: name,
			Endpoints: []*endpointv3.LocalityLbEndpoints{{
				LbEndpoints: []*endpointv3.LbEndpoint{lbEndpoint(pipeAddress(socket))},
			}},
		},
	}
}

func withLimits(c *clusterv3.Cluster) *clusterv3.Cluster {
	c.CircuitBreakers = &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
		MaxConnections:     u32(maxConnections),
		MaxPendingRequests: u32(maxRequests),
		MaxRequests:        u32(maxRequests),
		MaxRetries:         u32(maxRequests),
	}}}
	c.PerConnectionBufferLimitBytes = u32(connectionBuffers)
	return c
}

// staged puts the upstream stage before the connections of a staged upstream.
func staged(u Upstream, o *httpv3.HttpProtocolOptions) *httpv3.HttpProtocolOptions {
	if u.Staged {
		o.HttpFilters = []*hcmv3.HttpFilter{
			filter(filterExtProc, extProcUpstream()),
			filter("upstream-codec", &codecv3.UpstreamCodec{}),
		}
	}
	return o
}

func protocol(o *httpv3.HttpProtocolOptions) map[string]*anypb.Any {
	return map[string]*anypb.Any{upstreamHTTPKey: pack(o)}
}

func http1Only() *httpv3.HttpProtocolOptions {
	return &httpv3.HttpProtocolOptions{
		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{IdleTimeout: duration(upstreamIdle)},
		UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
			ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
				ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{
					HttpProtocolOptions: &corev3.Http1ProtocolOptions{},
				},
			},
		},
	}
}

// byALPN speaks HTTP/2 where the upstream offers it, else HTTP/1.1.
func byALPN() *httpv3.HttpProtocolOptions {
	return &httpv3.HttpProtocolOptions{
		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{IdleTimeout: duration(upstreamIdle)},
		UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_AutoConfig{
			AutoConfig: &httpv3.HttpProtocolOptions_AutoHttpConfig{
				HttpProtocolOptions: &corev3.Http1ProtocolOptions{},
				Http2ProtocolOptions: &corev3.Http2ProtocolOptions{
					MaxConcurrentStreams:        u32(upstreamStreams),
					InitialStreamWindowSize:     u32(upstreamStreamWindow),
					InitialConnectionWindowSize: u32(upstreamConnectionWindow),
					// Finds connections that a firewall has forgotten.
					ConnectionKeepalive: &corev3.KeepaliveSettings{
						Interval:               duration(30 * time.Second),
						Timeout:                duration(10 * time.Second),
						ConnectionIdleInterval: duration(30 * time.Second),
					},
				},
			},
		},
	}
}
