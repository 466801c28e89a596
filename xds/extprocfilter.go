package xds

import (
	"time"

	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
)

// messageTimeout is how long the ext_proc server may take over one message.
// Envoy's own 200 ms is too short for large bodies: 30 MB take a second, and more
// than ten where many others want the processor.
const messageTimeout = time.Minute

// extProc is the filter that asks the ext_proc server, router stage.
func extProc() *extprocv3.ExternalProcessor {
	return &extprocv3.ExternalProcessor{
		// No timeout on the gRPC stream: it lives as long as the exchange.
		GrpcService: &corev3.GrpcService{
			TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
				EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: clusterExtProc},
			},
			InitialMetadata: []*corev3.HeaderValue{{Key: StageHeader, Value: StageRouter}},
		},
		StatPrefix: "router",
		// It authenticates and authorises: without it nothing passes.
		FailureModeAllow:  false,
		StatusOnError:     &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable},
		MessageTimeout:    duration(messageTimeout),
		ProcessingMode:    processing(extprocv3.ProcessingMode_BUFFERED),
		AllowModeOverride: true,
		// Envoy compares all five fields with what the server sends.
		AllowedOverrideModes: []*extprocv3.ProcessingMode{
			override(extprocv3.ProcessingMode_STREAMED),
			override(extprocv3.ProcessingMode_NONE),
		},
		// A mutation that is refused must not pass in silence.
		MutationRules: &mutationv3.HeaderMutationRules{
			AllowAllRouting: no(), AllowEnvoy: no(), DisallowIsError: yes(),
		},
		MetadataOptions: &extprocv3.MetadataOptions{
			ReceivingNamespaces: &extprocv3.MetadataOptions_MetadataNamespaces{
				Untyped: []string{RouteNamespace, StateNamespace},
			},
		},
	}
}

// extProcUpstream is the filter of staged upstreams: each attempt of a call
// asks the ext_proc server for the request that its target takes. It gets the
// client's own body every time.
func extProcUpstream() *extprocv3.ExternalProcessor {
	f := extProc()
	f.GrpcService.InitialMetadata = []*corev3.HeaderValue{{Key: StageHeader, Value: StageUpstream}}
	f.StatPrefix = "upstream"
	f.ProcessingMode = &extprocv3.ProcessingMode{
		RequestHeaderMode:   extprocv3.ProcessingMode_SEND,
		RequestBodyMode:     extprocv3.ProcessingMode_BUFFERED,
		ResponseHeaderMode:  extprocv3.ProcessingMode_SEND, // how the attempt ended
		ResponseBodyMode:    extprocv3.ProcessingMode_NONE,
		RequestTrailerMode:  extprocv3.ProcessingMode_SKIP,
		ResponseTrailerMode: extprocv3.ProcessingMode_SKIP,
	}
	f.AllowModeOverride, f.AllowedOverrideModes = false, nil
	// The host is the target's, as the path is.
	f.MutationRules.AllowAllRouting = yes()
	f.RequestAttributes = []string{AttributeCluster, AttributeAttempt}
	f.MetadataOptions = &extprocv3.MetadataOptions{
		ForwardingNamespaces: &extprocv3.MetadataOptions_MetadataNamespaces{Untyped: []string{StateNamespace}},
	}
	return f
}

// processing is what the server is sent: headers and whole bodies both ways.
func processing(responseBody extprocv3.ProcessingMode_BodySendMode) *extprocv3.ProcessingMode {
	m := override(responseBody)
	m.RequestHeaderMode = extprocv3.ProcessingMode_SEND
	return m
}

// override is a mode that the server may ask for at the response headers.
func override(responseBody extprocv3.ProcessingMode_BodySendMode) *extprocv3.ProcessingMode {
	return &extprocv3.ProcessingMode{
		RequestBodyMode:     extprocv3.ProcessingMode_BUFFERED,
		ResponseHeaderMode:  extprocv3.ProcessingMode_SEND,
		ResponseBodyMode:    responseBody,
		RequestTrailerMode:  extprocv3.ProcessingMode_SKIP,
		ResponseTrailerMode: extprocv3.ProcessingMode_SKIP,
	}
}
