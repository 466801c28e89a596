package xds

import (
	"slices"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	priorityv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/router/cluster_specifiers/priority_group/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// Namespaces of the dynamic metadata by which the router stage tells Envoy and
// the upstream stage about a call with several targets. A client can't set
// them.
const (
	RouteNamespace = "gateway.route" // which upstreams, in which order
	StateNamespace = "gateway.state" // StateExchange
)

// StateExchange is the key, in StateNamespace, of the number under which the
// ext_proc server finds the exchange in the upstream stage.
const StateExchange = "exchange"

// The attributes that the upstream stage is told.
const (
	AttributeCluster = "xds.cluster_name"
	AttributeAttempt = "upstream.request_attempt_count"
)

// retriable are the statuses after which the next target is tried: what says
// that this target can't answer now, or not with the gateway's credential.
var retriable = []uint32{401, 402, 403, 404, 408, 424, 429, 500, 501, 502, 503, 504, 529}

// Retriable reports whether the next target is tried after a reply of this
// status.
func Retriable(status int) bool { return slices.Contains(retriable, uint32(status)) }

// groupRoute leads to one upstream after the other, as the dynamic metadata of
// the call says, until one of them answers.
func groupRoute(g Group, idle time.Duration) *routev3.Route {
	retry := &routev3.RetryPolicy{
		// "reset" holds everything that breaks before a reply's head came.
		RetryOn:               "connect-failure,refused-stream,reset,retriable-status-codes",
		RetriableStatusCodes:  retriable,
		NumRetries:            u32(uint32(g.Attempts - 1)),
		RefreshClusterOnRetry: true,
		// The next target is another one: there is nothing to wait for.
		RetryBackOff: &routev3.RetryPolicy_RetryBackOff{
			BaseInterval: duration(time.Millisecond), MaxInterval: duration(2 * time.Millisecond),
		},
	}
	if g.HeadTimeout > 0 {
		// Envoy lets go of this timer when the head has been passed on.
		retry.PerTryTimeout = duration(g.HeadTimeout)
	}
	return &routev3.Route{
		Match: anyPath(),
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{
			ClusterSpecifier: &routev3.RouteAction_InlineClusterSpecifierPlugin{
				InlineClusterSpecifierPlugin: &routev3.ClusterSpecifierPlugin{Extension: &corev3.TypedExtensionConfig{
					Name: "targets",
					TypedConfig: pack(&priorityv3.PriorityGroupClusterSpecifier{
						// Without metadata the call leads nowhere.
						PriorityGroups:            []*priorityv3.PriorityGroup{priorityGroup("none", unroutedCluster)},
						OverrideMetadataNamespace: RouteNamespace,
					}),
				}},
			},
			Timeout:     zeroDuration(),
			IdleTimeout: duration(idle),
			RetryPolicy: retry,
		}},
		RequestHeadersToRemove:  removedFromRequests,
		ResponseHeadersToRemove: []string{LocalReplyHeader},
	}
}

func priorityGroup(name, cluster string) *priorityv3.PriorityGroup {
	return &priorityv3.PriorityGroup{
		Name: name, Clusters: []*priorityv3.ClusterWeight{{ClusterName: cluster, Weight: u32(1)}},
	}
}

// Metadata is the dynamic metadata of a call: the staged upstreams to try, in
// order, and the number of the exchange.
func Metadata(order []Upstream, exchange string) *structpb.Struct {
	groups := make([]*structpb.Value, len(order))
	for i, u := range order {
		groups[i] = object("name", text(u.Key()), "clusters", list(object(
			"cluster_name", text(u.Key()), "weight", structpb.NewNumberValue(1))))
	}
	return object(
		RouteNamespace, object("priority_groups", list(groups...)),
		StateNamespace, object(StateExchange, text(exchange)),
	).GetStructValue()
}

func object(pairs ...any) *structpb.Value {
	s := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(pairs)/2)}
	for i := 0; i+1 < len(pairs); i += 2 {
		s.Fields[pairs[i].(string)] = pairs[i+1].(*structpb.Value)
	}
	return structpb.NewStructValue(s)
}

func text(s string) *structpb.Value { return structpb.NewStringValue(s) }

func list(v ...*structpb.Value) *structpb.Value {
	return structpb.NewListValue(&structpb.ListValue{Values: v})
}
