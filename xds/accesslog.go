package xds

import (
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	grpcv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/grpc/v3"
	"google.golang.org/protobuf/types/known/durationpb"
)

// brokenOff are Envoy's flags for exchanges that ended before their end: the
// client left, the provider reset, or one of them was silent for too long.
var brokenOff = []string{"DC", "DR", "UC", "UR", "UPE", "SI", "UT", "DT"}

// abortFlush is how long Envoy may hold an entry back.
const abortFlush = 50 * time.Millisecond

// abortLog tells the ext_proc server, on its own socket, why an exchange broke
// off. Exchanges that end well are not reported and cost nothing.
func abortLog() *accesslogv3.AccessLog {
	return &accesslogv3.AccessLog{
		Name: "broken-off",
		Filter: &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ResponseFlagFilter{
			ResponseFlagFilter: &accesslogv3.ResponseFlagFilter{Flags: brokenOff},
		}},
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: pack(&grpcv3.HttpGrpcAccessLogConfig{
			CommonConfig: &grpcv3.CommonGrpcAccessLogConfig{
				LogName: "broken-off",
				GrpcService: &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
					EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: clusterExtProc},
				}},
				TransportApiVersion: corev3.ApiVersion_V3,
				// The request id header is gone by now: routes remove it.
				FilterStateObjectsToLog: []string{stateExchange},
				// An entry is waited for: it is sent at once.
				BufferFlushInterval: durationpb.New(abortFlush),
				BufferSizeBytes:     u32(1),
			},
		})},
	}
}
