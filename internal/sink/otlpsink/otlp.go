// Package otlpsink is the sink type otlp: it sends records as log records of
// OpenTelemetry, by gRPC or by HTTP. docs/sinks.md describes what they hold.
package otlpsink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"sluice/internal/sink"
)

// Protocols of Options.
const (
	ProtocolGRPC = "grpc"
	ProtocolHTTP = "http" // protobuf over HTTP
)

// Options are the settings of a sink.
type Options struct {
	// URL is where the receiver listens: https, or http for one without TLS. Of
	// gRPC it is scheme, host and port; of HTTP the path is /v1/logs where it has
	// none.
	URL      *url.URL
	Protocol string // a Protocol constant
	// Headers go with every request, by lower-case names; they may be secret.
	Headers  map[string]string
	Compress bool // by gzip
	// Timeout bounds one request.
	Timeout time.Duration
	TLS     *tls.Config // nil: as the system has it
	// Dial connects; nil: by the system.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	Trail   string // id of the trail: service.instance.id
	Node    string // of records that name none
	Version string // of the gateway; "" leaves service.version out
	Now     func() time.Time
}

// exporter sends one request. Its error is a *rejected where the receiver will
// never take it as it is.
type exporter interface {
	export(ctx context.Context, request []byte) (response []byte, err error)
	close() error
}

// rejected is the error of a request with something in it that the receiver does
// not take. It names no record: the receiver does not say which.
type rejected struct{ reason string }

func (r *rejected) Error() string { return r.reason }

// Target is a sink.Target.
type Target struct {
	o        Options
	exporter exporter
	encoder  encoder
}

// Open returns a target. It connects when something is to be sent.
func Open(o Options) (*Target, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: o.Timeout}).DialContext
	}
	t := &Target{o: o, encoder: newEncoder(&o)}
	var err error
	switch o.Protocol {
	case ProtocolGRPC:
		t.exporter, err = newGRPC(&o)
	case ProtocolHTTP:
		t.exporter, err = newHTTP(&o)
	default:
		err = fmt.Errorf("the protocol is %q; want %s or %s", o.Protocol, ProtocolGRPC, ProtocolHTTP)
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Close implements sink.Target.
func (t *Target) Close() error { return t.exporter.close() }

// What one request holds: receivers of gRPC take 4 MiB unless they are told
// otherwise.
const (
	batchEntries = 1024
	batchBytes   = 3 << 20
	batchAge     = 200 * time.Millisecond
)

// Batch implements sink.Batcher.
func (t *Target) Batch() sink.Batch {
	return sink.Batch{Entries: batchEntries, Bytes: batchBytes, Age: batchAge}
}

// Deliver implements sink.Target. Where the receiver rejects a part of a request
// and does not say which, the halves of it are sent again until the record is
// found; log.record.uid tells the receiver which ones it has already.
func (t *Target) Deliver(ctx context.Context, entries []sink.Entry) (int, error) {
	done := 0
	for done < len(entries) {
		n := fitting(entries[done:])
		sent, err := t.deliver(ctx, entries[done:done+n])
		done += sent
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// fitting is how many of the first entries go into one request: one at least.
func fitting(entries []sink.Entry) int {
	var bytes int64
	for i := range entries {
		bytes += int64(len(entries[i].Data)) + recordOverhead
		if i > 0 && (bytes > batchBytes || i == batchEntries) {
			return i
		}
	}
	return len(entries)
}

// recordOverhead is about what attributes add to the text of a record.
const recordOverhead = 1 << 10

func (t *Target) deliver(ctx context.Context, entries []sink.Entry) (int, error) {
	err := t.send(ctx, entries)
	var no *rejected
	switch {
	case err == nil:
		return len(entries), nil
	case !errors.As(err, &no):
		return 0, err
	case len(entries) == 1:
		return 0, &sink.Refused{Reason: no.reason}
	}
	half := len(entries) / 2
	done, err := t.deliver(ctx, entries[:half])
	if err != nil {
		return done, err
	}
	more, err := t.deliver(ctx, entries[half:])
	return half + more, err
}

// send makes one request of entries.
func (t *Target) send(ctx context.Context, entries []sink.Entry) error {
	request, err := proto.Marshal(t.encoder.request(entries, t.o.Now()))
	if err != nil {
		return &rejected{"the record can't be encoded as a message of OpenTelemetry"}
	}
	ctx, cancel := context.WithTimeout(ctx, t.o.Timeout)
	defer cancel()
	response, err := t.exporter.export(ctx, request)
	if err != nil {
		return err
	}
	n, err := rejectedRecords(response)
	if err != nil {
		return err
	}
	if n > 0 {
		return &rejected{"the receiver took the request and rejected the record in it (partial success)"}
	}
	return nil
}

// rejectedRecords reads how many records of a request were not taken: the field
// rejected_log_records of partial_success of an ExportLogsServiceResponse. What
// else it says may quote a record, and is not read.
func rejectedRecords(response []byte) (int64, error) {
	var n int64
	err := eachField(response, func(number protowire.Number, value []byte, _ uint64) error {
		if number != 1 {
			return nil
		}
		return eachField(value, func(number protowire.Number, _ []byte, value uint64) error {
			if number == 1 {
				n = int64(value)
			}
			return nil
		})
	})
	if err != nil {
		return 0, fmt.Errorf("reading the receiver's answer: %w", err)
	}
	return n, nil
}

// eachField calls f for the fields of a message that are numbers or bytes.
func eachField(message []byte, f func(number protowire.Number, bytes []byte, value uint64) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		var bytes []byte
		var value uint64
		switch kind {
		case protowire.BytesType:
			bytes, n = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(message)
		default:
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if kind == protowire.BytesType || kind == protowire.VarintType {
			if err := f(number, bytes, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// Interface guards.
var (
	_ sink.Target  = (*Target)(nil)
	_ sink.Batcher = (*Target)(nil)
)
