package echo_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	modev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"sluice/bench/echo"
)

func open(t *testing.T, s *echo.Server) extprocv3.ExternalProcessor_ProcessClient {
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	server := echo.NewGRPC(s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() {
		cancel()
		require.NoError(t, conn.Close())
		server.Stop()
		require.NoError(t, <-served)
	})
	stream, err := extprocv3.NewExternalProcessorClient(conn).Process(ctx)
	require.NoError(t, err)
	return stream
}

func exchange(t *testing.T, stream extprocv3.ExternalProcessor_ProcessClient,
	r *extprocv3.ProcessingRequest) *extprocv3.ProcessingResponse {
	require.NoError(t, stream.Send(r))
	response, err := stream.Recv()
	require.NoError(t, err)
	return response
}

func requestBody(body string) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestBody{
		RequestBody: &extprocv3.HttpBody{Body: []byte(body), EndOfStream: true}}}
}

func responseHead(contentType string) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseHeaders{
		ResponseHeaders: &extprocv3.HttpHeaders{Headers: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{
			{Key: ":status", RawValue: []byte("200")}, {Key: "content-type", RawValue: []byte(contentType)}}}}}}
}

func TestRequestIsRoutedAgain(t *testing.T) {
	for _, bodies := range []bool{false, true} {
		stream := open(t, &echo.Server{Bodies: bodies})
		got := exchange(t, stream, requestBody("hello")).GetRequestBody().GetResponse()
		require.True(t, got.GetClearRouteCache())
		require.Equal(t, "x-gateway-route", got.GetHeaderMutation().GetSetHeaders()[0].GetHeader().GetKey())
		require.Contains(t, got.GetHeaderMutation().GetRemoveHeaders(), "x-api-key")
		if bodies {
			require.Equal(t, "hello", string(got.GetBodyMutation().GetBody()))
		} else {
			require.Nil(t, got.GetBodyMutation())
		}
	}
}

// TestOnlyEventStreamsAreStreamed: all five fields are written, which Envoy
// demands.
func TestOnlyEventStreamsAreStreamed(t *testing.T) {
	stream := open(t, &echo.Server{})
	require.Nil(t, exchange(t, stream, responseHead("application/json")).GetModeOverride())
	mode := exchange(t, stream, responseHead("text/event-stream; charset=utf-8")).GetModeOverride()
	require.Equal(t, modev3.ProcessingMode_STREAMED, mode.GetResponseBodyMode())
	require.Equal(t, modev3.ProcessingMode_BUFFERED, mode.GetRequestBodyMode())
	require.Equal(t, modev3.ProcessingMode_SEND, mode.GetResponseHeaderMode())
	require.Equal(t, modev3.ProcessingMode_SKIP, mode.GetRequestTrailerMode())
	require.Equal(t, modev3.ProcessingMode_SKIP, mode.GetResponseTrailerMode())
}
