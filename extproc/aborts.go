package extproc

import (
	"errors"
	"io"
	"sync"
	"time"

	accesslogdatav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"sluice/extproc/dialect"
	"sluice/internal/audit"
)

// aborts hears from Envoy why exchanges broke off. An ext_proc stream is just
// cancelled, whoever left; Envoy's access log knows, and sends the entries of
// exchanges that broke off (and only those) here.
type aborts struct {
	mu      sync.Mutex // guards the following fields
	heard   map[string]abort
	waiting map[string]chan abort
	order   []string // ids in heard, oldest first
}

// abort is why an exchange broke off.
type abort struct {
	clientGone, timedOut bool
}

// heardMost bounds what is kept for exchanges that nobody asks for: those that
// ended in the moment in which they broke off.
const heardMost = 1024

// verdict is how the record says it.
func (a abort) verdict() (string, *dialect.Error) {
	switch {
	case a.timedOut:
		return audit.ResultProviderError, dialect.Timeout()
	case a.clientGone:
		return audit.ResultClientGone, nil
	}
	return audit.ResultProviderError, dialect.Reset()
}

// wait returns why the exchange broke off, when Envoy says so within d.
func (a *aborts) wait(id string, d time.Duration) (abort, bool) {
	a.mu.Lock()
	if v, ok := a.heard[id]; ok {
		delete(a.heard, id)
		a.mu.Unlock()
		return v, true
	}
	if a.waiting == nil {
		a.waiting = map[string]chan abort{}
	}
	ch := make(chan abort, 1)
	a.waiting[id] = ch
	a.mu.Unlock()

	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v, true
	case <-timer.C:
		a.mu.Lock()
		delete(a.waiting, id)
		a.mu.Unlock()
		return abort{}, false
	}
}

func (a *aborts) tell(id string, v abort) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ch, ok := a.waiting[id]; ok {
		delete(a.waiting, id)
		ch <- v
		return
	}
	if a.heard == nil {
		a.heard = map[string]abort{}
	}
	if len(a.order) >= heardMost {
		delete(a.heard, a.order[0])
		a.order = append(a.order[:0], a.order[1:]...)
	}
	a.heard[id] = v
	a.order = append(a.order, id)
}

// abortLog is the gRPC access log service that Envoy reports to.
type abortLog struct {
	accesslogv3.UnimplementedAccessLogServiceServer
	a *aborts
}

func registerAborts(g *grpc.Server, a *aborts) {
	accesslogv3.RegisterAccessLogServiceServer(g, &abortLog{a: a})
}

// StreamAccessLogs reads entries until Envoy ends the stream.
func (l *abortLog) StreamAccessLogs(stream accesslogv3.AccessLogService_StreamAccessLogsServer) error {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&accesslogv3.StreamAccessLogsResponse{})
		}
		if status.Code(err) == codes.Canceled {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range m.GetHttpLogs().GetLogEntry() {
			p := e.GetCommonProperties()
			l.a.tell(exchangeOf(p), abortOf(p.GetResponseFlags()))
		}
	}
}

// exchangeOf is the exchange id, which Envoy kept aside: its header is gone by
// now, since a provider is not to see it.
func exchangeOf(p *accesslogdatav3.AccessLogCommon) string {
	for _, state := range p.GetFilterStateObjects() {
		var id wrapperspb.StringValue
		if state.UnmarshalTo(&id) == nil {
			return id.Value
		}
	}
	return ""
}

func abortOf(f *accesslogdatav3.ResponseFlags) abort {
	return abort{
		clientGone: f.GetDownstreamConnectionTermination() || f.GetDownstreamRemoteReset(),
		timedOut:   f.GetStreamIdleTimeout() || f.GetUpstreamRequestTimeout() || f.GetDurationTimeout(),
	}
}
