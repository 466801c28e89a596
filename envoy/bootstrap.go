package envoy

import (
	"errors"
	"fmt"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
	overloadv3 "github.com/envoyproxy/go-control-plane/envoy/config/overload/v3"
	connectionsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/downstream_connections/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// xdsCluster is the one cluster that Envoy knows before it asks for the rest.
const xdsCluster = "xds"

// DefaultMaxConnections is how many downstream connections Envoy holds at one
// time when BootstrapOptions does not say.
const DefaultMaxConnections = 10_000

// BootstrapOptions are the few things that Envoy is told before it asks the
// control plane. None of them is secret.
type BootstrapOptions struct {
	NodeID         string // names this gateway to the control plane
	AdminSocket    string // unix socket of Envoy's admin interface
	XDSSocket      string // unix socket of the control plane
	MaxConnections int    // downstream connections at one time; 0: DefaultMaxConnections
}

// Bootstrap returns the JSON that Envoy starts with. Everything but the way
// to the control plane comes from the control plane.
func Bootstrap(o BootstrapOptions) ([]byte, error) {
	if o.NodeID == "" || o.AdminSocket == "" || o.XDSSocket == "" {
		return nil, errors.New("building the Envoy bootstrap: a node id, an admin socket and an xDS socket are needed")
	}
	xds, err := controlPlaneCluster(o.XDSSocket)
	if err != nil {
		return nil, err
	}
	overload, err := overloadManager(o.MaxConnections)
	if err != nil {
		return nil, err
	}
	b := &bootstrapv3.Bootstrap{
		Node:             &corev3.Node{Id: o.NodeID, Cluster: "sluice"},
		Admin:            &bootstrapv3.Admin{Address: pipe(o.AdminSocket)},
		DynamicResources: dynamicResources(),
		StaticResources:  &bootstrapv3.Bootstrap_StaticResources{Clusters: []*clusterv3.Cluster{xds}},
		LayeredRuntime:   runtimeLayers(),
		OverloadManager:  overload,
		StatsConfig:      statsConfig(),
	}
	out, err := protojson.MarshalOptions{UseProtoNames: true, Multiline: true, Indent: "  "}.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encoding the Envoy bootstrap: %w", err)
	}
	return out, nil
}

func pipe(path string) *corev3.Address {
	// 0600: the socket is for the user that runs the gateway and nobody else.
	return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: path, Mode: 0o600}}}
}

func dynamicResources() *bootstrapv3.Bootstrap_DynamicResources {
	ads := func() *corev3.ConfigSource {
		return &corev3.ConfigSource{
			ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
			ResourceApiVersion:    corev3.ApiVersion_V3,
			// Never serve half a configuration because the other half was slow.
			InitialFetchTimeout: durationpb.New(0),
		}
	}
	return &bootstrapv3.Bootstrap_DynamicResources{
		AdsConfig: &corev3.ApiConfigSource{
			ApiType:             corev3.ApiConfigSource_DELTA_GRPC,
			TransportApiVersion: corev3.ApiVersion_V3,
			GrpcServices: []*corev3.GrpcService{{
				TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
					EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: xdsCluster},
				},
			}},
		},
		CdsConfig: ads(),
		LdsConfig: ads(),
	}
}

// controlPlaneCluster is the way to the control plane: gRPC over a unix socket.
func controlPlaneCluster(socket string) (*clusterv3.Cluster, error) {
	h2, err := anypb.New(&httpv3.HttpProtocolOptions{
		UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
			ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
				ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
					Http2ProtocolOptions: &corev3.Http2ProtocolOptions{
						// A control plane that hangs is noticed and asked anew.
						ConnectionKeepalive: &corev3.KeepaliveSettings{
							Interval: durationpb.New(30 * time.Second),
							Timeout:  durationpb.New(10 * time.Second),
						},
					},
				},
			},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding HTTP/2 options: %w", err)
	}
	return &clusterv3.Cluster{
		Name:                 xdsCluster,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		ConnectTimeout:       durationpb.New(5 * time.Second),
		LoadAssignment: &endpointv3.ClusterLoadAssignment{
			ClusterName: xdsCluster,
			Endpoints: []*endpointv3.LocalityLbEndpoints{{
				LbEndpoints: []*endpointv3.LbEndpoint{{
					HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
						Endpoint: &endpointv3.Endpoint{Address: &corev3.Address{
							Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: socket}},
						}},
					},
				}},
			}},
		},
		TypedExtensionProtocolOptions: map[string]*anypb.Any{
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": h2,
		},
	}, nil
}

// overloadManager bounds downstream connections over all listeners: what a
// flood of connections costs must not be paid by the requests under way.
func overloadManager(limit int) (*overloadv3.OverloadManager, error) {
	if limit <= 0 {
		limit = DefaultMaxConnections
	}
	monitor, err := anypb.New(&connectionsv3.DownstreamConnectionsConfig{MaxActiveDownstreamConnections: int64(limit)})
	if err != nil {
		return nil, fmt.Errorf("encoding the connection limit: %w", err)
	}
	return &overloadv3.OverloadManager{ResourceMonitors: []*overloadv3.ResourceMonitor{{
		Name:       "envoy.resource_monitors.global_downstream_max_connections",
		ConfigType: &overloadv3.ResourceMonitor_TypedConfig{TypedConfig: monitor},
	}}}, nil
}

// runtimeLayers is one empty static layer. Without an admin layer nothing can
// be switched from outside while Envoy runs.
func runtimeLayers() *bootstrapv3.LayeredRuntime {
	return &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{{
		Name:           "static",
		LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: &structpb.Struct{}},
	}}}
}

// statPrefixes are the statistics that Envoy keeps besides those of clusters.
var statPrefixes = []string{
	"http.ingress.", "listener.", "listener_manager.", "cluster_manager.",
	"control_plane.", "server.", "main_thread.watchdog_", "overload.",
}

// statSuffixes are what it keeps for each cluster: ten of a hundred or more,
// since with thousands of clusters the rest is most of Envoy's memory.
var statSuffixes = []string{
	".upstream_cx_total", ".upstream_cx_active", ".upstream_cx_connect_fail", ".upstream_cx_connect_timeout",
	".upstream_rq_total", ".upstream_rq_active", ".upstream_rq_pending_overflow", ".upstream_rq_retry",
	".ssl.fail_verify_san", ".ssl.fail_verify_error", ".ssl.connection_error", ".membership_healthy",
}

func statsConfig() *metricsv3.StatsConfig {
	var patterns []*matcherv3.StringMatcher
	for _, p := range statPrefixes {
		patterns = append(patterns, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: p}})
	}
	for _, s := range statSuffixes {
		patterns = append(patterns, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Suffix{Suffix: s}})
	}
	return &metricsv3.StatsConfig{
		UseAllDefaultTags: wrapperspb.Bool(false),
		StatsMatcher: &metricsv3.StatsMatcher{StatsMatcher: &metricsv3.StatsMatcher_InclusionList{
			InclusionList: &matcherv3.ListStringMatcher{Patterns: patterns},
		}},
	}
}
