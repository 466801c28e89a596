package xds

import (
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	brotliv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/compression/brotli/decompressor/v3"
	gzipv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/compression/gzip/decompressor/v3"
	bufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/buffer/v3"
	decompressorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/decompressor/v3"
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
	filterExtProc = "extproc"
	filterGzip    = "gzip"
	filterBrotli  = "brotli"
	filterRouter  = "router"
)

// httpFilters are the HTTP filters in order: requests pass from top to bottom,
// responses from bottom to top.
func httpFilters() []*hcmv3.HttpFilter {
	return []*hcmv3.HttpFilter{
		// Last on the way out: private headers of responses end here.
		filter(filterPrivate, removePrivateHeaders()),
		// Off unless a route asks: it bounds bodies of the control server.
		disabled(filter(filterBuffer, controlBody(controlBodyBytes))),
		// On for every request; only routes to the control server switch it
		// off, so that no route can be found that passes it by.
		filter(filterExtProc, extProc()),
		// Below ext_proc: it sees providers' replies in plain.
		filter(filterGzip, decompressor("gzip", &gzipv3.Gzip{})),
		filter(filterBrotli, decompressor("brotli", &brotliv3.Brotli{})),
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

// removePrivateHeaders takes the gateway's own headers out of responses.
// LocalReplyHeader is one where the ext_proc server was not in the path.
func removePrivateHeaders() *mutationfilterv3.HeaderMutation {
	return &mutationfilterv3.HeaderMutation{Mutations: &mutationfilterv3.Mutations{
		ResponseMutations: []*mutationv3.HeaderMutation{removePrefix(privatePrefix)},
	}}
}

// controlBody bounds what the control server is sent: 413 above it.
func controlBody(limit uint32) *bufferv3.Buffer {
	return &bufferv3.Buffer{MaxRequestBytes: u32(limit)}
}

// decompressor unpacks replies of providers. It does not ask them to compress:
// on a stream that costs delay.
func decompressor(name string, library proto.Message) *decompressorv3.Decompressor {
	return &decompressorv3.Decompressor{
		DecompressorLibrary: &corev3.TypedExtensionConfig{Name: name, TypedConfig: pack(library)},
		RequestDirectionConfig: &decompressorv3.Decompressor_RequestDirectionConfig{
			CommonConfig: &decompressorv3.Decompressor_CommonDirectionConfig{
				Enabled: &corev3.RuntimeFeatureFlag{DefaultValue: no(), RuntimeKey: "sluice.decompress_requests"},
			},
			AdvertiseAcceptEncoding: no(),
		},
		ResponseDirectionConfig: &decompressorv3.Decompressor_ResponseDirectionConfig{},
	}
}

func remove(name string) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Remove{Remove: name}}
}

func removePrefix(prefix string) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_RemoveOnMatch_{
		RemoveOnMatch: &mutationv3.HeaderMutation_RemoveOnMatch{
			KeyMatcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: prefix}},
		},
	}}
}
