package xds

import (
	"net/http"
	"time"

	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	matchv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	bufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/buffer/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	previousv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	envoymatcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"sluice/extproc/dialect"
	"sluice/internal/audit"
)

const (
	// controlBodyBytes bounds bodies of the control server: 413 above it.
	controlBodyBytes = 4 << 20
	// controlIdle is how long the control server may be silent. A download of
	// the trail may take long, but it goes on.
	controlIdle = time.Minute
)

// The calls of a model whose paths name the endpoint, before a query. What
// follows a nativePath is the provider's own.
const (
	invocationPath = `(/mlflow-deployments)?(/(endpoints|gateway)/[^/]+|/gateway/[^/]+/mlflow)/invocations`
	geminiPath     = `(/gemini|/gateway/gemini)?/v1(beta)?/models/[^/]+:[a-zA-Z]+`
	nativePath     = `(/native|/gateway/proxy)/.*`
)

// escapedSlash matches paths in which two readers could see different ones.
const escapedSlash = `.*%(2[fF]|5[cC]).*`

// routeConfiguration is the one routing table. Which upstream a request goes
// to is said by RouteHeader, which only the ext_proc server can set, and found
// in a hash map: the cost does not grow with the number of upstreams.
func routeConfiguration(ups []Upstream, groups []Group, bodyBytes int64, idle time.Duration) *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{
		Name: routesName,
		VirtualHosts: []*routev3.VirtualHost{{
			Name:                   "all",
			Domains:                []string{"*"},
			RequestBodyBufferLimit: wrapperspb.UInt64(uint64(bodyBytes)),
			// On for every route; only the route to the control server
			// switches it off, so that none can be found that passes it by.
			TypedPerFilterConfig: map[string]*anypb.Any{
				filterExtProc: pack(&extprocv3.ExtProcPerRoute{
					Override: &extprocv3.ExtProcPerRoute_Overrides{Overrides: &extprocv3.ExtProcOverrides{}},
				}),
			},
			Matcher: routeMatcher(ups, groups, idle),
		}},
	}
}

// routeMatcher finds the route by RouteHeader, else by path.
func routeMatcher(ups []Upstream, groups []Group, idle time.Duration) *matchv3.Matcher {
	m := &matchv3.Matcher{OnNoMatch: onMatch(pack(unroutedRequests()))}
	routes := make(map[string]*matchv3.Matcher_OnMatch, len(ups)+len(groups))
	for _, u := range ups {
		if !u.Staged { // groups lead there
			routes[u.Key()] = onMatch(pack(upstreamRoute(u, idle)))
		}
	}
	for _, g := range groups {
		routes[g.Key()] = onMatch(pack(groupRoute(g, idle)))
	}
	if len(routes) == 0 {
		return m // an empty map is not valid
	}
	m.MatcherType = &matchv3.Matcher_MatcherTree_{MatcherTree: &matchv3.Matcher_MatcherTree{
		Input: &xdscorev3.TypedExtensionConfig{
			Name:        RouteHeader,
			TypedConfig: pack(&envoymatcherv3.HttpRequestHeaderMatchInput{HeaderName: RouteHeader}),
		},
		TreeType: &matchv3.Matcher_MatcherTree_ExactMatchMap{
			ExactMatchMap: &matchv3.Matcher_MatcherTree_MatchMap{Map: routes},
		},
	}}
	return m
}

func onMatch(action *anypb.Any) *matchv3.Matcher_OnMatch {
	return &matchv3.Matcher_OnMatch{OnMatch: &matchv3.Matcher_OnMatch_Action{
		Action: &xdscorev3.TypedExtensionConfig{Name: "route", TypedConfig: action},
	}}
}

// removedFromRequests are headers that no provider is to see. The ext_proc
// server removes what the client sent; these Envoy itself or the ext_proc
// server has added since.
var removedFromRequests = []string{
	RouteHeader, audit.TLSHeader, "x-request-id", "x-forwarded-proto", "x-forwarded-for", "x-forwarded-client-cert",
	"x-envoy-expected-rq-timeout-ms", "x-envoy-external-address", "x-envoy-internal",
	"x-envoy-decorator-operation", "x-envoy-attempt-count",
}

// upstreamRoute leads to an upstream.
func upstreamRoute(u Upstream, idle time.Duration) *routev3.Route {
	return &routev3.Route{
		Match: anyPath(),
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{
			ClusterSpecifier:     &routev3.RouteAction_Cluster{Cluster: u.Key()},
			HostRewriteSpecifier: &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: u.HostHeader()},
			// An answer may take as long as it likes while it goes on.
			Timeout:     zeroDuration(),
			IdleTimeout: duration(idle),
			RetryPolicy: retryUnsent(),
		}},
		RequestHeadersToRemove:  removedFromRequests,
		ResponseHeadersToRemove: []string{LocalReplyHeader},
	}
}

// retryUnsent tries once more, at another address if there is one, where the
// upstream surely has not begun: a call of a model must not be made twice. A
// reset before the answer is not such a case, since the request was sent.
func retryUnsent() *routev3.RetryPolicy {
	return &routev3.RetryPolicy{
		RetryOn:    "connect-failure,refused-stream",
		NumRetries: u32(1),
		RetryHostPredicate: []*routev3.RetryPolicy_RetryHostPredicate{{
			Name: "envoy.retry_host_predicates.previous_hosts",
			ConfigType: &routev3.RetryPolicy_RetryHostPredicate_TypedConfig{
				TypedConfig: pack(&previousv3.PreviousHostsPredicate{}),
			},
		}},
		HostSelectionRetryMaxAttempts: 3,
		RetryBackOff: &routev3.RetryPolicy_RetryBackOff{
			BaseInterval: duration(25 * time.Millisecond), MaxInterval: duration(50 * time.Millisecond),
		},
	}
}

// unroutedRequests are the routes of requests that no one has routed: calls of
// models pass ext_proc first, all else is the control server's. The calls are
// what dialect.Match takes and a little more: the ext_proc server refuses
// names that no endpoint can have. A test holds the two together.
func unroutedRequests() *routev3.RouteList {
	// What the ext_proc server has routed is never taken for anything else,
	// whatever its path has become.
	lost := anyPath()
	lost.Headers = []*routev3.HeaderMatcher{{
		Name:                 RouteHeader,
		HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: true},
	}}
	routes := []*routev3.Route{
		unrouted(lost), unrouted(pathIs(nativePath)), refuse(pathIs(escapedSlash)),
		callRoute(pathIs(invocationPath)), callRoute(pathIs(geminiPath)),
	}
	for _, prefix := range []string{"", dialect.Prefix} {
		for _, p := range dialect.Calls() {
			routes = append(routes, callRoute(&routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: prefix + p}}))
		}
	}
	return &routev3.RouteList{Routes: append(routes, controlRoute())}
}

func pathIs(regex string) *routev3.RouteMatch {
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_SafeRegex{
		SafeRegex: &envoymatcherv3.RegexMatcher{Regex: regex},
	}}
}

// refuse answers 400 at once, and nobody else sees the request.
func refuse(match *routev3.RouteMatch) *routev3.Route {
	return &routev3.Route{
		Match: match,
		Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{
			Status: http.StatusBadRequest,
		}},
		TypedPerFilterConfig: withoutExtProc(),
	}
}

func withoutExtProc() map[string]*anypb.Any {
	return map[string]*anypb.Any{
		filterExtProc: pack(&extprocv3.ExtProcPerRoute{
			Override: &extprocv3.ExtProcPerRoute_Disabled{Disabled: true},
		}),
	}
}

// callRoute holds a call of a model until the ext_proc server has routed it.
// It is final when what it was routed to is not here yet.
func callRoute(match *routev3.RouteMatch) *routev3.Route {
	match.Headers = []*routev3.HeaderMatcher{{
		Name: ":method",
		HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: &envoymatcherv3.StringMatcher{
			MatchPattern: &envoymatcherv3.StringMatcher_Exact{Exact: "POST"},
		}},
	}}
	return unrouted(match)
}

// unroutedCluster is a name that no cluster has.
const unroutedCluster = "unrouted"

// unrouted leads nowhere: 503. It is not a direct response, since Envoy takes
// the limit on bodies from routes only.
func unrouted(match *routev3.RouteMatch) *routev3.Route {
	return &routev3.Route{
		Match: match,
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{
			ClusterSpecifier:            &routev3.RouteAction_Cluster{Cluster: unroutedCluster},
			ClusterNotFoundResponseCode: routev3.RouteAction_SERVICE_UNAVAILABLE,
			Timeout:                     zeroDuration(),
		}},
	}
}

// controlRoute leads everything else to the control server, past ext_proc.
func controlRoute() *routev3.Route {
	filters := withoutExtProc()
	filters[filterBuffer] = pack(&bufferv3.BufferPerRoute{
		Override: &bufferv3.BufferPerRoute_Buffer{Buffer: controlBody(controlBodyBytes)},
	})
	return &routev3.Route{
		Match: anyPath(),
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{
			ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: clusterControl},
			Timeout:          zeroDuration(),
			IdleTimeout:      duration(controlIdle),
		}},
		TypedPerFilterConfig:   filters,
		RequestHeadersToRemove: []string{RouteHeader, "x-envoy-expected-rq-timeout-ms", "x-envoy-external-address"},
	}
}

func anyPath() *routev3.RouteMatch {
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}
}
