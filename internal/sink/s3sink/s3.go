// Package s3sink is the sink type s3: it archives the trail in a bucket, as
// zstd NDJSON and Parquet in partitions of an hour, and each day that has ended
// as it is in the trail. docs/sinks-s3.md describes the objects.
package s3sink

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/zap"

	"sluice/internal/audit"
	"sluice/internal/awsid"
	"sluice/internal/sink"
)

// What is gathered into a batch where the settings do not say.
const (
	batchBytes   = 16 << 20
	batchAge     = time.Minute
	batchEntries = 50_000
)

// Source are the days of a trail that have ended.
type Source interface {
	Segments() []audit.Segment
	OpenSegment(day string) (*os.File, error)
	SegmentHead(ctx context.Context, day string) (head, holds []byte, err error)
	PublicKeys() []audit.PublicKey
}

// Options are the settings of a sink.
type Options struct {
	Bucket, Prefix, Region string
	Endpoint               string // URL in place of AWS's own; "": AWS's
	PathStyle              bool
	RoleARN                string
	// AccessKeyID and SecretAccessKey are a user's; both "": the default chain.
	AccessKeyID, SecretAccessKey, SessionToken string
	KMSKeyID, StorageClass                     string
	LockMode                                   string // governance or compliance; "": objects are not locked
	LockDays                                   int
	Parquet                                    bool
	HTTP                                       *http.Client // reaches AWS

	Trail, Node    string
	Format, Bodies string // what the records are in, for the manifest
	State          string // file that keeps what a crash must not change
	Segments       Source // nil: days are not archived
	FromToday      bool   // where State is new, days are archived from today on only; else all that are there
	Now            func() time.Time
	Log            *zap.Logger
	// PartBytes is how long a part of a multipart upload is; 0: 8 MiB, the least
	// that S3 takes is 5 MiB.
	PartBytes int64
}

// Target is a sink.Target.
type Target struct {
	o        Options
	uploads  *transfermanager.Client
	encoder  *zstd.Encoder
	archiver *archiver
	note     string // what was found when it was opened

	mu    sync.Mutex // guards the following field
	state state
}

// Open returns a target. It asks AWS for nothing before something is to be sent.
func Open(o Options) (*Target, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	cfg, err := awsConfig(&o)
	if err != nil {
		return nil, err
	}
	client := s3.NewFromConfig(cfg, func(s *s3.Options) { s.UsePathStyle = o.PathStyle })
	t := &Target{o: o, uploads: transfermanager.New(client, func(m *transfermanager.Options) {
		m.PartSizeBytes = max(o.PartBytes, 0)
		if m.PartSizeBytes == 0 {
			m.PartSizeBytes = 8 << 20
		}
		m.MultipartUploadThreshold, m.Concurrency = m.PartSizeBytes, 2
	})}
	// One thread, so that the same records are always the same bytes.
	t.encoder, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault))
	if err != nil {
		return nil, fmt.Errorf("making a compressor: %w", err)
	}
	if err := t.begin(); err != nil {
		return nil, err
	}
	if o.Segments != nil {
		t.archiver = startArchiver(t)
	}
	return t, nil
}

// awsConfig says who we are at AWS and how it is reached.
func awsConfig(o *Options) (aws.Config, error) {
	to := awsid.Options{Region: o.Region, Endpoint: o.Endpoint, RoleARN: o.RoleARN, Session: "sluice-audit", HTTP: o.HTTP}
	if o.AccessKeyID != "" {
		to.Keys = credentials.NewStaticCredentialsProvider(o.AccessKeyID, o.SecretAccessKey, o.SessionToken)
	}
	return awsid.Config(context.Background(), to)
}

// Batch implements sink.Batcher.
func (t *Target) Batch() sink.Batch {
	return sink.Batch{Entries: batchEntries, Bytes: batchBytes, Age: batchAge}
}

// Deliver implements sink.Target. The entries become one batch; after a crash in
// the middle of one they become the same again, so that its objects are
// overwritten by the same bytes.
func (t *Target) Deliver(ctx context.Context, entries []sink.Entry) (int, error) {
	done := 0
	for done < len(entries) {
		t.mu.Lock()
		n := t.state.planned(entries[done:])
		t.mu.Unlock()
		b := entries[done : done+n]
		plan := &plan{First: b[0].Completed(), Last: b[n-1].Completed()}
		if !b[0].Again {
			if err := t.remember(func(s *state) { s.Plan = plan }); err != nil {
				return done, err
			}
		}
		if err := t.put(ctx, b); err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

// Notes implements sink.Noter.
func (t *Target) Notes() []string {
	if t.note == "" {
		return nil
	}
	return []string{t.note}
}

// Trouble implements sink.Worrier: it is that of archiving days.
func (t *Target) Trouble() sink.Trouble {
	if t.archiver == nil {
		return sink.Trouble{}
	}
	return t.archiver.trouble()
}

// Close implements sink.Target.
func (t *Target) Close() error {
	if t.archiver != nil {
		t.archiver.close()
	}
	if err := t.encoder.Close(); err != nil {
		return fmt.Errorf("closing the compressor: %w", err)
	}
	return nil
}

var (
	_ sink.Target  = (*Target)(nil)
	_ sink.Batcher = (*Target)(nil)
	_ sink.Noter   = (*Target)(nil)
	_ sink.Worrier = (*Target)(nil)
)
