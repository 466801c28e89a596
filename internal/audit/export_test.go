package audit

import (
	"bytes"
	"context"
	"os"
	"strconv"
)

// StopIndexer ends the indexer, for benchmarks of the log alone.
func StopIndexer(t *Trail) {
	close(t.indexer.stop)
	<-t.indexer.over
	t.indexer.stop = make(chan struct{})
}

// File is what a failing disk has to be.
type File = segmentFile

// OpenWith opens a trail on a disk of the test's making.
func OpenWith(opts Options, opener func(path string, flag int) (File, error)) (*Trail, error) {
	return openTrail(opts, opener)
}

// OpenDisk opens a file on the real disk.
func OpenDisk(path string, flag int) (File, error) { return openDisk(path, flag) }

// ErrNoPreallocation is what a disk returns that can't take room ahead.
var ErrNoPreallocation = errNoPreallocation

// HeaderSize is the length of the fixed part of a frame.
const HeaderSize = headerSize

// OffPrev is where in a frame the chain hash of the one before is.
const OffPrev = offPrev

// LockFile is the name of the file that is locked.
var LockFile = lockName

// CrashFiles closes what the process has open, without anything that Close
// does for order: the kernel does the same when the process is killed.
func CrashFiles(t *Trail) {
	t.closing.Store(true)
	t.keeper.close()
	t.writer.exclusive(func() error {
		t.writer.mu.Lock()
		t.writer.closed = true
		t.writer.mu.Unlock()
		t.writer.shut = true
		return t.writer.file.Close()
	})
	close(t.indexer.stop)
	<-t.indexer.over
	if t.indexer.table != nil {
		t.indexer.table.close()
	}
	t.readers.close()
	t.lock.Close()
}

// MarkOffset is where in its segment a mark is.
func MarkOffset(m Mark) int64 { return m.at.off }

// SealFrame makes content the content of the frame that begins with old, of the
// same kind, gives it its place in the chain and returns it with its hash.
func SealFrame(old, meta, body []byte, seq uint64, prev [32]byte) ([]byte, [32]byte) {
	h, err := parseHeader(old, true)
	if err != nil {
		panic(err)
	}
	frame := append(append(make([]byte, headerSize), meta...), body...)
	sealContent(frame, h.kind, h.codec, len(meta), int(h.raw), h.time)
	setMore(frame, h.more)
	hash := sealChain(frame, seq, prev)
	return frame, hash
}

// What of a header EditHeader may change.
const (
	OffCodec = offCodec
	OffMore  = offMore
)

// EditHeader returns a copy of a frame with another byte in its header, which fits
// its checksum and its hash.
func EditHeader(frame []byte, at int, value byte) []byte {
	h, err := parseHeader(frame, true)
	if err != nil {
		panic(err)
	}
	frame = bytes.Clone(frame)
	frame[at] = value
	sealChain(frame, h.seq, h.prev)
	return frame
}

// SegmentMeta is the meta data of the first frame of a segment.
type SegmentMeta = segmentMeta

// IndexBeyondLines makes an index that has all the lines it keeps, adds an event of
// each kind, with its first frame at 1, 2 and so on, and returns where those are that
// a start looks for.
func IndexBeyondLines(path string, kinds ...string) ([]int64, error) {
	const on day = 20000
	t, state, err := openTable(path, "boot", on)
	if err != nil {
		return nil, err
	}
	defer t.close()
	for n := range int64(maxLines) {
		t.what.numbers[whatKey{targetID: strconv.FormatInt(n, 10)}] = n + 1
	}
	var rows []*row
	for i, kind := range kinds {
		at := int64(i) + 1
		rows = append(rows, &row{seq: uint64(at), time: at, what: whatKey{kind: kind}, first: place{on, at}})
	}
	if err := t.commit(rows, state); err != nil {
		return nil, err
	}
	return t.firsts(tellingKinds...)
}

// KeepHead does what the keeper does every few seconds.
func KeepHead(t *Trail) { t.keeper.checkpoint() }

// DecodeExchange, DecodeEnd and DecodeEvent read the meta data of frames; they
// are true when it is as the encoders write it.
func DecodeExchange(meta string) (*Exchange, bool, error) {
	x := &Exchange{}
	plain, err := decodeExchange(meta, x)
	return x, plain, err
}

func DecodeEnd(meta string) (string, *Outcome, bool, error) {
	m := &endMeta{}
	plain, err := decodeEnd(meta, m)
	return m.ID, &m.Outcome, plain, err
}

func DecodeEvent(meta string) (*Event, bool, error) {
	e := &Event{}
	plain, err := decodeEvent(meta, e)
	return e, plain, err
}

// IsStored reports whether the JSON of all halves of a record is at hand.
func IsStored(r *Record) bool {
	return (r.Exchange == nil || r.stored.exchangeOf(r.Exchange) != "") && (r.Outcome == nil || r.stored.outcomeOf(r.Outcome) != "") &&
		(r.Event == nil || r.stored.eventOf(r.Event) != "")
}

// Unstored is a record without the JSON that it was read from.
func Unstored(r *Record) *Record {
	bare := *r
	bare.stored = stored{}
	return &bare
}

// PagePlan is how SQLite finds what is behind a place in the last partition.
func PagePlan(ctx context.Context, t *Trail, f Filter, behind Cursor) (string, error) {
	if err := t.reached(ctx); err != nil {
		return "", err
	}
	m := t.partitions(&f)
	p := m.pending[len(m.pending)-1]
	db, err := t.readers.acquire(ctx, p, m.live(p))
	if err != nil {
		return "", err
	}
	defer t.readers.release(p.partition)
	how, err := f.compile(ctx, db)
	if err != nil {
		return "", err
	}
	query, args := how.page(&f, behind, 10)
	var id, parent, unused int
	var detail string
	err = db.QueryRowContext(ctx, "EXPLAIN QUERY PLAN "+query, args...).Scan(&id, &parent, &unused, &detail)
	return detail, err
}

// What bounds downloads.
const (
	MostDownloads      = mostDownloads
	MostDownloadMemory = (mostDownloads + moreWorkers) * workerBytes
)

// Blocks reads a file as queries read segments.
type Blocks struct{ blocks blocks }

// At returns at least n bytes of a file at a place, fewer at its end.
func (b *Blocks) At(file *os.File, off int64, n int) ([]byte, error) {
	return b.blocks.at(file, 0, off, n)
}

// Drop forgets what was read of a place.
func (b *Blocks) Drop(off int64) { b.blocks.drop(0, off) }
