// Package syslogsink is the sink type syslog: messages of RFC 5424 in the frames
// of RFC 5425 (their length in front), by TLS or plain TCP.
//
// Syslog has no acknowledgement. Deliver confirms what the receiver's operating
// system has acknowledged by TCP, where that can be asked. The program behind it
// may end before it has read or kept that, so the newest messages of a connection
// are held, and all of them are sent again when the connection fails.
package syslogsink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"sluice/internal/audit"
	"sluice/internal/config"
	"sluice/internal/sink"
)

const (
	// heldMessages and heldBytes bound what is held to be sent again. They cover
	// what can be on the way: the send buffer here, the receive buffer there, and
	// what the program there has read and not kept.
	heldMessages = 10_000
	heldBytes    = 8 << 20
	sendBuffer   = 256 << 10
	writeBytes   = 64 << 10
)

// Options are what a Target needs.
type Options struct {
	Config *config.SinkSyslog
	// Format renders a record anew, where it is too long with its bodies.
	Format func(dst []byte, r *audit.Record) ([]byte, error)
	Node   string      // HOSTNAME of records that name no node
	Secure *tls.Config // nil: plain TCP
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Log    *zap.Logger
}

// Target sends messages.
type Target struct {
	o    Options
	conn net.Conn // nil: there is none
	raw  net.Conn // what is below TLS
	dead *atomic.Bool
	// held are the newest frames that were confirmed, the newest last: those that
	// are sent again when the connection fails.
	held [][]byte
	size int
	buf  []byte
}

// Open makes a Target; it does not connect.
func Open(o Options) *Target { return &Target{o: o} }

// Batch implements sink.Batcher.
func (t *Target) Batch() sink.Batch {
	return sink.Batch{Entries: 1000, Bytes: 1 << 20, Age: 100 * time.Millisecond}
}

// Check implements sink.Checker: it notices that the receiver is gone also while
// there is nothing to send, and sends again what it may have lost.
func (t *Target) Check(ctx context.Context, _ uint64) error {
	if t.conn == nil && len(t.held) == 0 {
		return nil
	}
	return t.connect(ctx)
}

// Deliver implements sink.Target.
func (t *Target) Deliver(ctx context.Context, entries []sink.Entry) (int, error) {
	frames := make([][]byte, 0, len(entries))
	var failed error
	for i := range entries {
		m, err := t.message(&entries[i])
		if err != nil {
			failed = err
			break
		}
		frames = append(frames, frame(m))
	}
	if len(frames) == 0 {
		return 0, failed
	}
	if err := t.connect(ctx); err != nil {
		return 0, err
	}
	if err := t.write(ctx, frames); err != nil {
		return 0, err
	}
	t.hold(frames)
	return len(frames), failed
}

// hold keeps frames that were confirmed, and lets the oldest go.
func (t *Target) hold(frames [][]byte) {
	for _, f := range frames {
		t.size += len(f)
	}
	t.held = append(t.held, frames...)
	drop := 0
	for drop < len(t.held) && (len(t.held)-drop > heldMessages || t.size > heldBytes) {
		t.size -= len(t.held[drop])
		drop++
	}
	t.held = slices.Delete(t.held, 0, drop)
}

// connect makes a connection where there is none that works, and sends on it
// what the one before may have lost.
func (t *Target) connect(ctx context.Context) error {
	if t.conn != nil && !t.dead.Load() {
		return nil
	}
	t.hangUp()
	if err := t.dial(ctx); err != nil {
		return fmt.Errorf("connecting to %s: %w", t.o.Config.Address, err)
	}
	if n := len(t.held); n > 0 {
		t.o.Log.Info("the connection was lost; the newest messages are sent again", zap.Int("messages", n))
		return t.write(ctx, t.held)
	}
	return nil
}

func (t *Target) dial(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, t.o.Config.Timeout)
	defer cancel()
	raw, err := t.o.Dial(ctx, "tcp", t.o.Config.Address)
	if err != nil {
		return err
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // what is held would cover the system's default too
	}
	conn := raw
	if t.o.Secure != nil {
		settings := t.o.Secure.Clone()
		if settings.ServerName == "" {
			settings.ServerName, _, _ = net.SplitHostPort(t.o.Config.Address)
		}
		secured := tls.Client(raw, settings)
		if err := secured.HandshakeContext(ctx); err != nil {
			raw.Close()
			return err
		}
		conn = secured
	}
	t.conn, t.raw, t.dead = conn, raw, &atomic.Bool{}
	go listen(conn, t.dead)
	return nil
}

// listen notices the end of a connection. A receiver of syslog says nothing.
func listen(conn net.Conn, dead *atomic.Bool) {
	buf := make([]byte, 512)
	for {
		if _, err := conn.Read(buf); err != nil {
			dead.Store(true)
			return
		}
	}
}

// write writes frames, and waits until the other side's system has them. After
// an error the connection is gone.
func (t *Target) write(ctx context.Context, frames [][]byte) error {
	err := t.tryWrite(ctx, frames)
	if err != nil {
		t.hangUp()
		return fmt.Errorf("writing to %s: %w", t.o.Config.Address, err)
	}
	return nil
}

func (t *Target) tryWrite(ctx context.Context, frames [][]byte) error {
	raw := t.raw // which may be hung up before this is called
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	t.buf = t.buf[:0]
	for i, f := range frames {
		t.buf = append(t.buf, f...)
		if len(t.buf) < writeBytes && i < len(frames)-1 {
			continue
		}
		if err := t.conn.SetWriteDeadline(time.Now().Add(t.o.Config.Timeout)); err != nil {
			return err
		}
		if _, err := t.conn.Write(t.buf); err != nil {
			return err
		}
		t.buf = t.buf[:0]
	}
	for until := time.Now().Add(t.o.Config.Timeout); ; {
		switch left, known := unacknowledged(t.raw); {
		case t.dead.Load():
			return errors.New("the receiver closed the connection")
		case !known || left == 0:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(until):
			return fmt.Errorf("the receiver has not taken %d bytes within %s", left, t.o.Config.Timeout)
		}
		time.Sleep(time.Millisecond)
	}
}

func (t *Target) hangUp() {
	if t.conn != nil {
		t.conn.Close()
		t.conn, t.raw = nil, nil
	}
}

// Close implements sink.Target.
func (t *Target) Close() error {
	t.hangUp()
	return nil
}

var _ interface {
	sink.Batcher
	sink.Checker
} = (*Target)(nil)
