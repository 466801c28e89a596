package s3sink

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.uber.org/zap"

	"sluice/internal/audit"
	"sluice/internal/sink"
)

// archiveEvery is how often it is looked for days that have ended.
const archiveEvery = time.Minute

// SegmentManifest describes a day that is archived as it is in the trail. It is
// written behind it.
type SegmentManifest struct {
	Version   int    `json:"version"`
	Trail     string `json:"trail"`
	Day       string `json:"day"`
	Key       string `json:"key"`
	Bytes     int64  `json:"bytes"`
	SHA256    string `json:"sha256"`    // hex, of the object
	LogBytes  int64  `json:"logBytes"`  // of the file <day>.log in it
	LogSHA256 string `json:"logSha256"` // hex
	First     uint64 `json:"first"`     // sequences of the first and the last frame
	Last      uint64 `json:"last"`
}

// archiver sends the days that have ended, beside the records.
type archiver struct {
	t      *Target
	cancel context.CancelFunc
	over   chan struct{}

	mu   sync.Mutex   // guards the following field
	fail sink.Trouble // Error has every day that failed in the last try
}

func startArchiver(t *Target) *archiver {
	ctx, cancel := context.WithCancel(context.Background())
	a := &archiver{t: t, cancel: cancel, over: make(chan struct{})}
	go a.run(ctx)
	return a
}

func (a *archiver) run(ctx context.Context) {
	defer close(a.over)
	for {
		err := a.all(ctx)
		if ctx.Err() != nil {
			return
		}
		a.note(err)
		select {
		case <-time.After(archiveEvery):
		case <-ctx.Done():
			return
		}
	}
}

// all archives the days that are not yet. One that fails does not keep the next
// from it.
func (a *archiver) all(ctx context.Context) error {
	segments := a.t.o.Segments.Segments()
	var errs []error
	for _, s := range segments {
		a.t.mu.Lock()
		done := slices.Contains(a.t.state.Days, s.Day) || s.Day < a.t.state.From
		a.t.mu.Unlock()
		if done {
			continue
		}
		if err := a.one(ctx, s); err != nil {
			errs = append(errs, fmt.Errorf("archiving the day %s: %w", s.Day, err))
			if ctx.Err() != nil {
				break
			}
			continue
		}
		err := a.t.remember(func(st *state) {
			// Days that retention dropped need no remembering.
			st.Days = slices.DeleteFunc(st.Days, func(day string) bool {
				return !slices.ContainsFunc(segments, func(s audit.Segment) bool { return s.Day == day })
			})
			st.Days = append(st.Days, s.Day)
		})
		if err != nil {
			errs = append(errs, err)
			break // its disk is full or gone
		}
		a.t.o.Log.Info("a day of the trail is archived", zap.String("day", s.Day))
	}
	return errors.Join(errs...)
}

// one sends a day and its manifest.
func (a *archiver) one(ctx context.Context, s audit.Segment) error {
	f, err := a.t.o.Segments.OpenSegment(s.Day)
	if err != nil {
		return err
	}
	defer f.Close()
	raw, packed := &digest{hash: sha256.New()}, &digest{hash: sha256.New()}
	key := fmt.Sprintf("%ssegments/%s/%s.log.zst", a.t.o.Prefix, a.t.o.Trail, s.Day)
	pipe, into := io.Pipe()
	go func() {
		into.CloseWithError(compress(io.MultiWriter(into, packed), io.TeeReader(f, raw)))
	}()
	_, err = a.t.upload(ctx, key, "application/zstd", pipe)
	pipe.CloseWithError(io.ErrClosedPipe) // the other side ends when the upload did before
	if err != nil {
		return err
	}
	if err := a.besides(ctx, s.Day); err != nil {
		return err
	}
	data, err := json.MarshalIndent(&SegmentManifest{
		Version: manifestVersion, Trail: a.t.o.Trail, Day: s.Day, Key: key, Bytes: packed.n, SHA256: packed.sum(),
		LogBytes: raw.n, LogSHA256: raw.sum(), First: s.First, Last: s.Last,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("writing a manifest: %w", err)
	}
	manifest := fmt.Sprintf("%smanifest/segments/%s/%s.json", a.t.o.Prefix, a.t.o.Trail, s.Day)
	_, err = a.t.upload(ctx, manifest, "application/json", bytes.NewReader(data))
	return err
}

// besides sends what makes a trail of the days that are archived: its head, which
// is that of the last of them, the holds, and the keys that verify what is signed.
func (a *archiver) besides(ctx context.Context, day string) error {
	keys, err := json.MarshalIndent(a.t.o.Segments.PublicKeys(), "", "  ")
	if err != nil {
		return fmt.Errorf("writing the public keys: %w", err)
	}
	folder := a.t.o.Prefix + "segments/" + a.t.o.Trail + "/"
	if _, err := a.t.upload(ctx, folder+"keys.json", "application/json", bytes.NewReader(keys)); err != nil {
		return err
	}
	a.t.mu.Lock()
	last := !slices.ContainsFunc(a.t.state.Days, func(archived string) bool { return archived > day })
	a.t.mu.Unlock()
	if !last { // it failed before, and a later one is the end of the archive
		return nil
	}
	head, holds, err := a.t.o.Segments.SegmentHead(ctx, day)
	if err != nil {
		return err
	}
	if _, err := a.t.upload(ctx, folder+audit.HoldsFile, "application/json", bytes.NewReader(holds)); err != nil {
		return err
	}
	_, err = a.t.upload(ctx, folder+"head.json", "application/json", bytes.NewReader(head))
	return err
}

// compress writes from to into, zstd.
func compress(into io.Writer, from io.Reader) error {
	z, err := zstd.NewWriter(into, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return fmt.Errorf("making a compressor: %w", err)
	}
	if _, err := io.Copy(z, from); err != nil {
		return fmt.Errorf("compressing a segment: %w", err)
	}
	return z.Close()
}

// digest is the length and the SHA-256 of what is written to it.
type digest struct {
	hash hash.Hash
	n    int64
}

func (d *digest) Write(p []byte) (int, error) {
	d.n += int64(len(p))
	return d.hash.Write(p)
}

func (d *digest) sum() string { return hex.EncodeToString(d.hash.Sum(nil)) }

func (a *archiver) note(err error) {
	now := a.t.o.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	was := a.fail.Error
	if a.fail.Error = ""; err == nil {
		return
	}
	a.fail.Error = strings.ReplaceAll(err.Error(), "\n", "; ")
	a.fail.At = now
	a.fail.Failures++
	if was == "" {
		a.fail.Since = now
	}
	if a.fail.Error != was {
		a.t.o.Log.Warn("a day of the trail is not archived; it is tried again", zap.String("error", a.fail.Error))
	}
}

func (a *archiver) trouble() sink.Trouble {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fail
}

func (a *archiver) close() {
	a.cancel()
	<-a.over
}
