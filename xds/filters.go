package xds

import (
	statev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	statefilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/set_filter_state/v3"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	bufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/buffer/v3"
	mutationfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
)

// Names of the filters, by which routes switch them.
const (
	filterPrivate = "private-headers"
	filterBuffer  = "control-body"
	filterState   = "remember"
	filterExtProc = "extproc"
	filterRouter  = "router"
)

// Keys of the filter state.
const (
	statePath     = "sluice.path"     // the path as the client asked
	stateExchange = "sluice.exchange" // the exchange id
)

// httpFilters are the HTTP filters in order: requests pass from top to bottom,
// responses from bottom to top. There is no decompressor: with one below it,
// ext_proc never gets a whole reply (docs/decisions/no-decompressor.md).
func httpFilters() []*hcmv3.HttpFilter {
	return []*hcmv3.HttpFilter{
		// Last on the way out: private headers of responses end here.
		filter(filterPrivate, removePrivateHeaders()),
		filter(filterState, remember()),
		// Off unless a route asks: it bounds bodies of the control server.
		disabled(filter(filterBuffer, controlBody(controlBodyBytes))),
		// Off where there is no route: what Envoy refuses before it has read a
		// request must not wait for ext_proc, since the connection does not.
		// The virtual host of all requests switches it on.
		disabled(filter(filterExtProc, extProc())),
		// Below ext_proc: it sees providers' replies in plain.
		filter(filterRouter, &routerv3.Router{SuppressEnvoyHeaders: true}),
	}
}

func filter(name string, config proto.Message) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: pack(config)}}
}

func disabled(f *hcmv3.HttpFilter) *hcmv3.HttpFilter {
	f.Disabled = true
	return f
}

// removePrivateHeaders takes the gateway's own headers out of responses, and
// what a provider's Envoy may have added.
// LocalReplyHeader is one where the ext_proc server was not in the path.
func removePrivateHeaders() *mutationfilterv3.HeaderMutation {
	return &mutationfilterv3.HeaderMutation{Mutations: &mutationfilterv3.Mutations{
		ResponseMutations: []*mutationv3.HeaderMutation{removePrefix(privatePrefix), removePrefix("x-envoy-")},
		// The ext_proc server sees no trailers: none pass, either way.
		RequestTrailersMutations:  []*mutationv3.HeaderMutation{removeAll()},
		ResponseTrailersMutations: []*mutationv3.HeaderMutation{removeAll()},
	}}
}

// controlBody bounds what the control server is sent: 413 above it.
func controlBody(limit uint32) *bufferv3.Buffer {
	return &bufferv3.Buffer{MaxRequestBytes: u32(limit)}
}

// remember keeps what a request was before it was routed: routing rewrites the
// path and removes the exchange id, and a reply that Envoy makes after that
// must still be in the caller's dialect and name the exchange.
func remember() *statefilterv3.Config {
	return &statefilterv3.Config{OnRequestHeaders: []*statev3.FilterStateValue{
		state(statePath, "%REQ(:PATH)%"),
		state(stateExchange, "%REQ(X-REQUEST-ID)%"),
	}}
}

func state(key, format string) *statev3.FilterStateValue {
	return &statev3.FilterStateValue{
		Key:        &statev3.FilterStateValue_ObjectKey{ObjectKey: key},
		FactoryKey: "envoy.string",
		Value: &statev3.FilterStateValue_FormatString{FormatString: &corev3.SubstitutionFormatString{
			Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{
				Specifier: &corev3.DataSource_InlineString{InlineString: format},
			}},
		}},
	}
}

func remove(name string) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Remove{Remove: name}}
}

func removeAll() *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_RemoveOnMatch_{
		RemoveOnMatch: &mutationv3.HeaderMutation_RemoveOnMatch{
			KeyMatcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{
				SafeRegex: &matcherv3.RegexMatcher{Regex: ".*"},
			}},
		},
	}}
}

func removePrefix(prefix string) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_RemoveOnMatch_{
		RemoveOnMatch: &mutationv3.HeaderMutation_RemoveOnMatch{
			KeyMatcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: prefix}},
		},
	}}
}
