// Package echo is the least that an ext_proc server can be: it looks at
// nothing and lets each request pass, in the same processing modes as the
// gateway. What it and its Envoy cost is the floor for the gateway.
package echo

import (
	"bytes"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	modev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Flow control windows and message size, as the gateway's server has them.
const (
	streamWindow     = 1 << 20
	connectionWindow = 16 << 20
	maxMessage       = 64 << 20
)

// Server answers Envoy's ext_proc streams.
type Server struct {
	extprocv3.UnimplementedExternalProcessorServer
	// Bodies makes the server send back request and reply bodies, as a
	// gateway does that changes them, rather than leave them alone.
	Bodies bool
}

var _ extprocv3.ExternalProcessorServer = (*Server)(nil)

// NewGRPC returns a gRPC server that serves s.
func NewGRPC(s *Server) *grpc.Server {
	server := grpc.NewServer(grpc.InitialWindowSize(streamWindow), grpc.InitialConnWindowSize(connectionWindow),
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage))
	extprocv3.RegisterExternalProcessorServer(server, s)
	return server
}

// Process answers one request's messages. Envoy ends a stream by cancelling
// it, which is no error.
func (s *Server) Process(stream extprocv3.ExternalProcessor_ProcessServer) error {
	for {
		request, err := stream.Recv()
		if err != nil {
			if status.Code(err) == codes.Canceled {
				return nil
			}
			return err
		}
		if err := stream.Send(s.reply(request)); err != nil {
			return err
		}
	}
}

func (s *Server) reply(request *extprocv3.ProcessingRequest) *extprocv3.ProcessingResponse {
	out := &extprocv3.ProcessingResponse{}
	switch m := request.Request.(type) {
	case *extprocv3.ProcessingRequest_RequestHeaders:
		out.Response = &extprocv3.ProcessingResponse_RequestHeaders{RequestHeaders: &extprocv3.HeadersResponse{}}
	case *extprocv3.ProcessingRequest_RequestBody:
		out.Response = &extprocv3.ProcessingResponse_RequestBody{RequestBody: &extprocv3.BodyResponse{
			Response: s.route(m.RequestBody.Body)}}
	case *extprocv3.ProcessingRequest_ResponseHeaders:
		if isEventStream(m.ResponseHeaders.GetHeaders()) {
			out.ModeOverride = streamed()
		}
		out.Response = &extprocv3.ProcessingResponse_ResponseHeaders{ResponseHeaders: &extprocv3.HeadersResponse{}}
	case *extprocv3.ProcessingRequest_ResponseBody:
		out.Response = &extprocv3.ProcessingResponse_ResponseBody{ResponseBody: &extprocv3.BodyResponse{
			Response: &extprocv3.CommonResponse{BodyMutation: s.mutation(m.ResponseBody.Body)}}}
	}
	return out
}

// route is what a gateway must do to each request: name the upstream, set the
// provider's path and credential, take away the client's, route again.
func (s *Server) route(body []byte) *extprocv3.CommonResponse {
	return &extprocv3.CommonResponse{
		HeaderMutation: &extprocv3.HeaderMutation{
			SetHeaders: []*corev3.HeaderValueOption{
				set("x-gateway-route", "provider"),
				set(":path", "/v1/chat/completions"),
				set("authorization", "Bearer sk-provider"),
			},
			RemoveHeaders: []string{"x-api-key", "api-key", "accept-encoding"},
		},
		BodyMutation:    s.mutation(body),
		ClearRouteCache: true,
	}
}

func (s *Server) mutation(body []byte) *extprocv3.BodyMutation {
	if !s.Bodies {
		return nil
	}
	return &extprocv3.BodyMutation{Mutation: &extprocv3.BodyMutation_Body{Body: body}}
}

func set(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: name, RawValue: []byte(value)},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD}
}

func isEventStream(headers *corev3.HeaderMap) bool {
	for _, h := range headers.GetHeaders() {
		if h.Key == "content-type" {
			return bytes.HasPrefix(h.RawValue, []byte("text/event-stream"))
		}
	}
	return false
}

// streamed is the mode for event streams. All five fields are written: Envoy
// refuses an override that leaves one out, silently.
func streamed() *modev3.ProcessingMode {
	return &modev3.ProcessingMode{
		RequestBodyMode:     modev3.ProcessingMode_BUFFERED,
		ResponseHeaderMode:  modev3.ProcessingMode_SEND,
		ResponseBodyMode:    modev3.ProcessingMode_STREAMED,
		RequestTrailerMode:  modev3.ProcessingMode_SKIP,
		ResponseTrailerMode: modev3.ProcessingMode_SKIP,
	}
}
