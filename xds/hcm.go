package xds

import (
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	uuidv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/request_id/uuid/v3"

	"sluice/internal/audit"
)

// Limits on what a client may cost before its request is understood.
const (
	headersTimeout    = 15 * time.Second // until the request's head is whole
	requestTimeout    = 5 * time.Minute  // until the request's body is whole
	connectionIdle    = 10 * time.Minute // a connection without a request
	maxHeadersKB      = 64
	maxHeadersCount   = 100
	maxStreams        = 256 // concurrent requests of one HTTP/2 connection
	streamWindow      = 256 << 10
	connectionWindow  = 1 << 20
	connectionBuffers = 1 << 20 // of one connection, before it is told to wait
)

// httpManager turns the bytes of a connection into requests. idle is the
// longest silence on a stream that has no route yet; routes have their own.
func httpManager(idle time.Duration) *hcmv3.HttpConnectionManager {
	return &hcmv3.HttpConnectionManager{
		StatPrefix: statPrefix,
		CodecType:  hcmv3.HttpConnectionManager_AUTO,
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{
			Rds: &hcmv3.Rds{ConfigSource: fromADS(), RouteConfigName: routesName},
		},
		HttpFilters: httpFilters(),
		AccessLog:   []*accesslogv3.AccessLog{abortLog()},

		// Headers that a client may not choose go before anything reads them.
		EarlyHeaderMutationExtensions: early(untrustedHeaders()),
		// The client is who connects; what a client says of itself is removed.
		UseRemoteAddress:      yes(),
		InternalAddressConfig: &hcmv3.HttpConnectionManager_InternalAddressConfig{},
		// The request id is the exchange id: always made here, always told.
		GenerateRequestId:            yes(),
		AlwaysSetRequestIdInResponse: true,
		RequestIdExtension:           requestIDs(),

		// One spelling of a path for policy, routing and audit.
		NormalizePath: yes(),
		MergeSlashes:  true,
		// Ids of models have slashes, so calls of providers' own APIs may have
		// escaped ones; the routes refuse them everywhere else.
		PathWithEscapedSlashesAction: hcmv3.HttpConnectionManager_KEEP_UNCHANGED,

		ServerName:                 "sluice",
		ServerHeaderTransformation: hcmv3.HttpConnectionManager_OVERWRITE,
		LocalReplyConfig:           localReplyConfig(),

		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{
			IdleTimeout:                  duration(connectionIdle),
			MaxHeadersCount:              u32(maxHeadersCount),
			HeadersWithUnderscoresAction: corev3.HttpProtocolOptions_DROP_HEADER,
		},
		HttpProtocolOptions: &corev3.Http1ProtocolOptions{},
		Http2ProtocolOptions: &corev3.Http2ProtocolOptions{
			MaxConcurrentStreams:        u32(maxStreams),
			InitialStreamWindowSize:     u32(streamWindow),
			InitialConnectionWindowSize: u32(connectionWindow),
		},
		MaxRequestHeadersKb:   u32(maxHeadersKB),
		RequestHeadersTimeout: duration(headersTimeout),
		RequestTimeout:        duration(requestTimeout),
		StreamIdleTimeout:     duration(idle),
	}
}

// early are mutations of a request's head before anything reads it.
func early(m *earlyv3.HeaderMutation) []*corev3.TypedExtensionConfig {
	return []*corev3.TypedExtensionConfig{{Name: "untrusted-headers", TypedConfig: pack(m)}}
}

// insideManager is httpManager for the web UI's own calls, which name the
// browser's address in X-Forwarded-For: nothing is added to it, as a unix socket
// has no address.
func insideManager(idle time.Duration) *hcmv3.HttpConnectionManager {
	m := httpManager(idle)
	m.EarlyHeaderMutationExtensions = early(&earlyv3.HeaderMutation{Mutations: []*mutationv3.HeaderMutation{
		removePrefix(privatePrefix), removePrefix("x-envoy-"), remove("x-request-id"),
	}})
	return m
}

// untrustedHeaders removes what only the gateway and Envoy may say, and what
// claims to come from a proxy in front.
func untrustedHeaders() *earlyv3.HeaderMutation {
	return &earlyv3.HeaderMutation{Mutations: []*mutationv3.HeaderMutation{
		removePrefix(privatePrefix),
		removePrefix("x-envoy-"),
		removePrefix("x-forwarded-"),
		remove("forwarded"),
		remove("x-real-ip"),
		remove("x-request-id"),
	}}
}

// withTLSFacts has Envoy say what the connection agreed on. A header costs less
// than ext_proc's attributes, which have no cipher, and the control server sees
// it too.
func withTLSFacts(m *earlyv3.HeaderMutation) *earlyv3.HeaderMutation {
	m.Mutations = append(m.Mutations, &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Append{
		Append: &corev3.HeaderValueOption{
			Header: &corev3.HeaderValue{
				Key: audit.TLSHeader, Value: "%DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_TLS_CIPHER% %REQUESTED_SERVER_NAME%",
			},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		},
	}})
	return m
}

// requestIDs makes plain random UUIDs, without a tracing decision packed in.
func requestIDs() *hcmv3.RequestIDExtension {
	return &hcmv3.RequestIDExtension{TypedConfig: pack(&uuidv3.UuidRequestIdConfig{
		PackTraceReason: no(), UseRequestIdForTraceSampling: no(),
	})}
}
