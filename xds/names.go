package xds

import (
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// RouteHeader is the request header by which the ext_proc server names the
// upstream of a request. Its value is an Upstream's Key. What a client sends
// under this name is removed before anything reads it.
const RouteHeader = "x-gateway-route"

// LocalReplyHeader is the response header by which Envoy tells the ext_proc
// server that it made the reply itself. Its value is Envoy's response code
// details. Providers can't set it, and it never reaches a client.
const LocalReplyHeader = "x-gateway-local"

// ImmediatePrefix begins the details of every ImmediateResponse of the
// ext_proc server. Envoy leaves the bodies of such replies as they are; the
// replies that it makes itself it words by localReplies.
const ImmediatePrefix = "sluice_"

// StageHeader is the gRPC metadata by which Envoy says which stage calls the
// ext_proc server, and the stages.
const (
	StageHeader   = "x-stage"
	StageRouter   = "router"
	StageUpstream = "upstream"
)

// privatePrefix begins the headers that only the gateway's parts may set.
const privatePrefix = "x-gateway-"

// Names of the resources that there are one of.
const (
	routesName      = "ingress"       // RouteConfiguration
	statPrefix      = "ingress"       // of both listeners: one number of active requests
	listenerTLS     = "ingress-tls"   // Listener
	listenerPlain   = "ingress-plain" // Listener
	listenerInside  = "inside"        // Listener
	secretServer    = "server"        // Secret: certificate of the TLS listener
	secretClients   = "clients"       // Secret: authorities of client certificates
	secretRoots     = "roots"         // Secret: roots that providers are verified against
	clusterExtProc  = "extproc"       // Cluster of the ext_proc server
	clusterControl  = "control"       // Cluster of the control server
	upstreamHTTPKey = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
)

// fromADS says that a resource comes over the stream that is open already.
// Zero wait: a resource that is late must not be taken for one that is empty.
func fromADS() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		ResourceApiVersion:    corev3.ApiVersion_V3,
		InitialFetchTimeout:   zeroDuration(),
	}
}

// pack encodes a message deterministically, so that equal content has equal
// hashes. Messages made in this package always encode: that one does not is a
// mistake in the program, like an index out of range.
func pack(m proto.Message) *anypb.Any {
	a := &anypb.Any{}
	if err := anypb.MarshalFrom(a, m, proto.MarshalOptions{Deterministic: true}); err != nil {
		panic(fmt.Sprintf("encoding %T: %v", m, err))
	}
	return a
}
