package otlpsink_test

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"sluice/internal/sink/otlpsink"
)

// answer is what a receiver says to one request.
type answer struct {
	status   error // of gRPC
	code     int   // of HTTP; 0: 200
	header   http.Header
	rejected int64 // partial success
}

// receiver is a receiver of either protocol whose answers the test decides.
type receiver struct {
	answer func(*logs.LogsData) answer

	mu       sync.Mutex // guards the following fields
	requests []*logs.LogsData
	headers  []map[string][]string
	raw      []string // encodings of requests
}

func (r *receiver) take(data *logs.LogsData, header map[string][]string, encoding string) answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, data)
	r.headers = append(r.headers, header)
	r.raw = append(r.raw, encoding)
	return r.answer(data)
}

// uids are the ids of the records of each request.
func (r *receiver) uids() [][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := [][]string{}
	for _, request := range r.requests {
		ids := []string{}
		for _, rec := range recordsOf(request) {
			ids = append(ids, attribute(rec, "log.record.uid").GetStringValue())
		}
		out = append(out, ids)
	}
	return out
}

func partial(n int64) []byte {
	if n == 0 {
		return nil
	}
	inner := protowire.AppendTag(nil, 1, protowire.VarintType)
	inner = protowire.AppendVarint(inner, uint64(n))
	inner = protowire.AppendTag(inner, 2, protowire.BytesType)
	inner = protowire.AppendString(inner, "the prompt was: my canary")
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), inner)
}

// serveGRPC answers the method Export.
func serveGRPC(t *testing.T, r *receiver, options ...grpc.ServerOption) *url.URL {
	t.Helper()
	options = append(options, grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(stream)
		if method != "/opentelemetry.proto.collector.logs.v1.LogsService/Export" {
			t.Errorf("%s was called", method)
		}
		var data logs.LogsData
		if err := stream.RecvMsg(&data); err != nil {
			return err
		}
		md, _ := metadata.FromIncomingContext(stream.Context())
		a := r.take(&data, md, md.Get("grpc-accept-encoding")[0])
		if a.status != nil {
			return a.status
		}
		response := &emptypb.Empty{}
		response.ProtoReflect().SetUnknown(partial(a.rejected))
		return stream.SendMsg(response)
	}))
	s := grpc.NewServer(options...)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = s.Serve(l) }() // ends with Stop
	t.Cleanup(s.Stop)
	return &url.URL{Scheme: "http", Host: l.Addr().String()}
}

func handler(t *testing.T, r *receiver) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var body io.Reader = req.Body
		if req.Header.Get("Content-Encoding") == "gzip" {
			var err error
			if body, err = gzip.NewReader(body); err != nil {
				t.Errorf("reading gzip: %v", err)
				return
			}
		}
		raw, err := io.ReadAll(body)
		var data logs.LogsData
		if err == nil {
			err = proto.Unmarshal(raw, &data)
		}
		if err != nil || req.Method != http.MethodPost || req.URL.Path != "/v1/logs" || req.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %s of %s: %v", req.Method, req.URL, req.Header.Get("Content-Type"), err)
			return
		}
		a := r.take(&data, req.Header, req.Header.Get("Content-Encoding"))
		for name, values := range a.header {
			w.Header()[name] = values
		}
		if a.code != 0 {
			w.WriteHeader(a.code)
			return
		}
		_, _ = w.Write(partial(a.rejected)) // the client may be gone
	})
}

func serveHTTP(t *testing.T, r *receiver) *url.URL {
	t.Helper()
	s := httptest.NewServer(handler(t, r))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	return u
}

// protocols are both ways to a receiver.
var protocols = map[string]func(*testing.T, *receiver) *url.URL{
	otlpsink.ProtocolGRPC: func(t *testing.T, r *receiver) *url.URL { return serveGRPC(t, r) },
	otlpsink.ProtocolHTTP: serveHTTP,
}

func open(t *testing.T, u *url.URL, protocol string, change ...func(*otlpsink.Options)) *otlpsink.Target {
	t.Helper()
	o := otlpsink.Options{
		URL: u, Protocol: protocol, Compress: true, Timeout: 5 * time.Second, Trail: "c397ec1ee3aab6f3", Node: "gateway-1", Version: "1.2.3",
		Headers: map[string]string{"x-token": "canary"}, Now: func() time.Time { return noon.Add(time.Second) },
	}
	for _, f := range change {
		f(&o)
	}
	target, err := otlpsink.Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, target.Close()) })
	return target
}

var ctx = context.Background()
