package otlpsink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"sluice/internal/sink"
)

// exportMethod is the service's one method.
const exportMethod = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

type grpcExporter struct {
	conn    *grpc.ClientConn
	headers metadata.MD
	options []grpc.CallOption
}

func newGRPC(o *Options) (exporter, error) {
	transport := insecure.NewCredentials()
	if o.URL.Scheme == "https" {
		c := o.TLS
		if c == nil {
			c = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		transport = credentials.NewTLS(c)
	}
	port := o.URL.Port()
	if port == "" {
		port = "4317"
	}
	dial := o.Dial
	conn, err := grpc.NewClient("passthrough:///"+net.JoinHostPort(o.URL.Hostname(), port),
		grpc.WithTransportCredentials(transport), grpc.WithUserAgent("sluice"), grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return dial(ctx, "tcp", address) }))
	if err != nil {
		return nil, fmt.Errorf("making a client of gRPC: %w", err)
	}
	e := &grpcExporter{conn: conn, headers: metadata.New(o.Headers), options: []grpc.CallOption{grpc.ForceCodecV2(bytesCodec{})}}
	if o.Compress {
		e.options = append(e.options, grpc.UseCompressor(gzip.Name))
	}
	return e, nil
}

// export implements exporter.
func (e *grpcExporter) export(ctx context.Context, request []byte) ([]byte, error) {
	var response []byte
	ctx = metadata.NewOutgoingContext(ctx, e.headers)
	err := e.conn.Invoke(ctx, exportMethod, request, &response, e.options...)
	if err == nil {
		return response, nil
	}
	st := status.Convert(err)
	after, told := retryInfo(st)
	switch st.Code() {
	case codes.InvalidArgument:
		return nil, &rejected{"the receiver answered InvalidArgument"}
	case codes.ResourceExhausted:
		// Without a word of when to come again it says that the message is too long,
		// by a limit of its own. One that is only busy refuses the smallest as well,
		// and is left alone after some (see the worker of sinks).
		if !told {
			return nil, &rejected{fmt.Sprintf("the receiver answered ResourceExhausted to a message of %d bytes: let it take longer ones, or less of bodies leave (body_bytes)", len(request))}
		}
	}
	err = fmt.Errorf("sending log records: %s%s", st.Code(), own(st))
	if told {
		return nil, &sink.Later{After: after, Err: err}
	}
	return nil, err
}

// retryInfo is how long the receiver wants to be left alone.
func retryInfo(st *status.Status) (time.Duration, bool) {
	for _, d := range st.Details() {
		if info, is := d.(*errdetails.RetryInfo); is {
			return info.GetRetryDelay().AsDuration(), true
		}
	}
	return 0, false
}

// own is what this side says about a connection. What the receiver wrote may quote
// a record or a header.
func own(st *status.Status) string {
	for _, begin := range []string{"connection error: ", "name resolver error: ", "last connection error: "} {
		if strings.HasPrefix(st.Message(), begin) {
			return ": " + short(st.Message())
		}
	}
	return ""
}

// short keeps a long message from filling a log.
func short(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}

func (e *grpcExporter) close() error { return e.conn.Close() }

// bytesCodec hands on messages that are encoded already.
type bytesCodec struct{}

// Name implements encoding.CodecV2: what the receiver takes the bytes for.
func (bytesCodec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, is := v.([]byte)
	if !is {
		return nil, errors.New("no encoded message")
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

// Unmarshal implements encoding.CodecV2.
func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	b, is := v.(*[]byte)
	if !is {
		return errors.New("no place for an encoded message")
	}
	*b = data.Materialize()
	return nil
}
