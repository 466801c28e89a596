package syslogsink_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/sink"
	"sluice/internal/sink/format"
	"sluice/internal/sink/syslogsink"
)

// stopping is a connection at the first write of which the sink is stopped.
type stopping struct {
	net.Conn
	stop func()
}

func (s *stopping) Write([]byte) (int, error) {
	s.stop()
	return 0, errors.New("the connection broke")
}

// TestStoppedWhileItWrites: the connection is hung up at the moment at which its
// deadline is set.
func TestStoppedWhileItWrites(t *testing.T) {
	render, _ := format.Named(config.FormatSluice)
	for range 2000 {
		ctx, cancel := context.WithCancel(t.Context())
		here, there := net.Pipe()
		target := syslogsink.Open(syslogsink.Options{
			Config: &config.SinkSyslog{Address: "syslog.example:601", MaxBytes: 8192, Timeout: time.Second, AppName: "sluice"},
			Format: render, Log: zap.NewNop(),
			Dial: func(context.Context, string, string) (net.Conn, error) { return &stopping{here, cancel}, nil },
		})
		_, err := target.Deliver(ctx, []sink.Entry{{Record: &audit.Record{Event: &audit.Event{Kind: "x"}}, Data: []byte("x")}})
		require.Error(t, err)
		require.NoError(t, target.Close())
		require.NoError(t, there.Close())
		cancel()
	}
}
