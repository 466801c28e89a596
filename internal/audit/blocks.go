package audit

import (
	"io"
	"os"
)

const (
	// A block is read ahead of what is asked for, more of it while what was read
	// so is used.
	blockLeast = 4 << 10
	blockMost  = 128 << 10
	// blockReach is how far from a block the next one goes on with it.
	blockReach = 4 << 20
	// blockCount is how many blocks are kept: request and response halves of what
	// follows each other are in two places, and the latter in no order.
	blockCount = 4
)

// block is a stretch of a segment that was read.
type block struct {
	day  day
	off  int64
	buf  []byte
	used int    // bytes that were asked for of it
	turn uint64 // when it was used last
}

// blocks reads segments in blocks, so that what lies together is read at once.
// What is appended to a segment meanwhile may be missing in a block: who finds no
// frame in it drops it and reads again.
type blocks struct {
	kept [blockCount]block
	turn uint64
}

// holds reports whether the block has n bytes at off.
func (b *block) holds(d day, off int64, n int) bool {
	return len(b.buf) > 0 && b.day == d && b.off <= off && off+int64(n) <= b.off+int64(len(b.buf))
}

// at returns what there is at off of a segment: at least n bytes, which are at
// most blockMost, or fewer where the file ends. They are valid until the call
// after the next.
func (k *blocks) at(file *os.File, d day, off int64, n int) ([]byte, error) {
	k.turn++
	for i := range k.kept {
		if b := &k.kept[i]; b.holds(d, off, n) {
			b.used, b.turn = b.used+n, k.turn
			return b.buf[off-b.off:], nil
		}
	}
	start, size := k.next(d, off, n)
	b := k.oldest()
	if cap(b.buf) < size {
		b.buf = make([]byte, size)
	}
	b.day, b.off, b.used, b.turn = d, start, n, k.turn
	read, err := file.ReadAt(b.buf[:size], start)
	if b.buf = b.buf[:read]; err != nil && err != io.EOF {
		b.buf = b.buf[:0]
		return nil, err
	}
	return b.buf[min(off-start, int64(read)):], nil
}

// next is where the next block begins, and how long it is. It goes on with the
// nearest, and is twice as long where at least a quarter of that was used, else
// half as long.
func (k *blocks) next(d day, off int64, n int) (start int64, size int) {
	var near *block
	least := int64(blockReach)
	for i := range k.kept {
		b := &k.kept[i]
		if len(b.buf) == 0 || b.day != d {
			continue
		}
		if far := max(b.off-off, off-b.off); far < least {
			near, least = b, far
		}
	}
	if near == nil {
		return off, max(n, blockLeast)
	}
	size = len(near.buf) / 2
	if near.used >= len(near.buf)/4 {
		size = len(near.buf) * 2
	}
	size = max(n, min(max(size, blockLeast), blockMost))
	if off > near.off {
		return off, size
	}
	// Who goes backwards needs what is before, and this frame whole.
	return max(0, min(off, off+int64(max(n, blockLeast)-size))), size
}

// oldest is the block that goes.
func (k *blocks) oldest() *block {
	oldest := &k.kept[0]
	for i := range k.kept {
		if b := &k.kept[i]; b.turn < oldest.turn {
			oldest = b
		}
	}
	return oldest
}

// drop forgets what was read of a place.
func (k *blocks) drop(d day, off int64) {
	for i := range k.kept {
		if b := &k.kept[i]; b.day == d && b.off <= off && off <= b.off+int64(len(b.buf)) {
			b.buf = b.buf[:0]
		}
	}
}
