package s3sink

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"sluice/internal/sink"
)

// manifestVersion is that of the form of manifests.
const manifestVersion = 1

// Manifest describes a batch. It is written last: what it names is whole.
type Manifest struct {
	Version int    `json:"version"`
	Trail   string `json:"trail"`
	Node    string `json:"node"`
	Format  string `json:"format"` // of the lines
	Bodies  string `json:"bodies"` // what left of them
	Records int    `json:"records"`
	// First and Last are the sequences that completed the first and the last
	// record, Hash is the chain hash of the frame Last.
	First   uint64    `json:"first"`
	Last    uint64    `json:"last"`
	Hash    string    `json:"hash,omitempty"`
	From    time.Time `json:"from"` // the earliest and the latest time of a record
	To      time.Time `json:"to"`
	Objects []Object  `json:"objects"`
}

// Object is one object of a batch.
type Object struct {
	Key     string `json:"key"`
	Type    string `json:"type"` // ndjson or parquet
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"` // hex
	Records int    `json:"records"`
	First   uint64 `json:"first"`
	Last    uint64 `json:"last"`
}

// put sends the objects of a batch, then its manifest.
func (t *Target) put(ctx context.Context, entries []sink.Entry) error {
	m := Manifest{
		Version: manifestVersion, Trail: t.o.Trail, Node: t.o.Node, Format: t.o.Format, Bodies: t.o.Bodies,
		Records: len(entries), First: entries[0].Completed(), Last: entries[len(entries)-1].Completed(),
		Hash: entries[len(entries)-1].Record.Mark().Hash(),
	}
	for i := range entries {
		at := entries[i].Record.Time.UTC()
		if m.From.IsZero() || at.Before(m.From) {
			m.From = at
		}
		if at.After(m.To) {
			m.To = at
		}
	}
	for _, hour := range hours(entries) {
		o, err := t.putLines(ctx, hour)
		if err != nil {
			return err
		}
		m.Objects = append(m.Objects, o)
		if !t.o.Parquet {
			continue
		}
		if o, err = t.putParquet(ctx, hour); err != nil {
			return err
		}
		m.Objects = append(m.Objects, o)
	}
	data, err := json.MarshalIndent(&m, "", "  ")
	if err != nil {
		return fmt.Errorf("writing a manifest: %w", err)
	}
	key := t.o.Prefix + "manifest/" + partition(m.To) + t.name(entries) + ".json"
	_, err = t.upload(ctx, key, "application/json", bytes.NewReader(data))
	return err
}

// hours splits a batch by the hour of the records' times, and keeps the order
// within each.
func hours(entries []sink.Entry) [][]sink.Entry {
	var out [][]sink.Entry
	at := map[string]int{}
	for _, e := range entries {
		hour := partition(e.Record.Time)
		i, known := at[hour]
		if !known {
			i = len(out)
			at[hour] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], e)
	}
	return out
}

// partition is the folder of an hour.
func partition(t time.Time) string { return t.UTC().Format("dt=2006-01-02/hour=15/") }

// name is that of an object, without its ending: the same for the same records.
func (t *Target) name(entries []sink.Entry) string {
	return fmt.Sprintf("%s-%012d-%012d", t.o.Trail, entries[0].Completed(), entries[len(entries)-1].Completed())
}

func (t *Target) putLines(ctx context.Context, entries []sink.Entry) (Object, error) {
	var out bytes.Buffer
	t.encoder.Reset(&out)
	for i := range entries {
		if _, err := t.encoder.Write(entries[i].Data); err != nil {
			return Object{}, fmt.Errorf("compressing records: %w", err)
		}
		if _, err := t.encoder.Write(newLine); err != nil {
			return Object{}, fmt.Errorf("compressing records: %w", err)
		}
	}
	if err := t.encoder.Close(); err != nil {
		return Object{}, fmt.Errorf("compressing records: %w", err)
	}
	key := t.o.Prefix + partition(entries[0].Record.Time) + t.name(entries) + ".ndjson.zst"
	return t.putObject(ctx, "ndjson", key, "application/zstd", out.Bytes(), entries)
}

var newLine = []byte("\n")

func (t *Target) putParquet(ctx context.Context, entries []sink.Entry) (Object, error) {
	data, err := parquetOf(t.o.Trail, t.o.Node, entries)
	if err != nil {
		return Object{}, err
	}
	key := t.o.Prefix + "parquet/" + partition(entries[0].Record.Time) + t.name(entries) + ".parquet"
	return t.putObject(ctx, "parquet", key, "application/vnd.apache.parquet", data, entries)
}

func (t *Target) putObject(ctx context.Context, kind, key, mime string, data []byte, entries []sink.Entry) (Object, error) {
	sum := sha256.Sum256(data)
	if _, err := t.upload(ctx, key, mime, bytes.NewReader(data)); err != nil {
		return Object{}, err
	}
	return Object{
		Key: key, Type: kind, Bytes: int64(len(data)), SHA256: hex.EncodeToString(sum[:]), Records: len(entries),
		First: entries[0].Completed(), Last: entries[len(entries)-1].Completed(),
	}, nil
}
