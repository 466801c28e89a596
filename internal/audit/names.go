package audit

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A file of names says what is certainly not in a partition that has ended, so
// that a query for something rare opens few indexes. It holds two Bloom filters,
// one of names and words and one of ids, each of blocks of 64 bytes: a look-up
// reads one. Of whom and what that were together in a record it holds pairs too:
// both may be in every partition, and together in few. Without the file, and where it is not of this partition, the index
// is asked.
//
//	 0  4  "SLN" and the format, 2
//	 4  4  CRC-32C of bytes 8 to 32
//	 8  8  sequence of the partition's first frame
//	16  8  sequence of its last
//	24  4  blocks of names; 0: nothing is known of these
//	28  4  blocks of ids; 0: the same
//	32     the blocks
const (
	namesHeader = 32
	namesBlock  = 64
	// namesBits is how many bits of a filter a name or an id takes: of a
	// hundred that are not there, one at most seems to be.
	namesBits = 12
	// namesProbes is how many of the bits of a block a name sets.
	namesProbes = 7
	// mostIDs bounds the ids of a partition that are kept, and so the memory
	// that making a file of names takes.
	mostIDs = 1 << 24
)

var namesMagic = [4]byte{'S', 'L', 'N', 2}

// namesPath is the file of names beside an index.
func namesPath(index string) string { return strings.TrimSuffix(index, ".db") + ".names" }

// bloom is a filter while it is made.
type bloom []byte

func newBloom(entries int) bloom {
	return make(bloom, (entries*namesBits/8/namesBlock+1)*namesBlock)
}

func (b bloom) add(hash uint64) {
	block := b[blockOf(hash, len(b)/namesBlock):][:namesBlock]
	for probe := range probes(hash) {
		block[probe/8] |= 1 << (probe % 8)
	}
}

// blockOf is where the block of a hash begins.
func blockOf(hash uint64, blocks int) int { return int(hash>>32*uint64(blocks)>>32) * namesBlock }

// probes yields the bits of a hash within its block.
func probes(hash uint64) func(func(int) bool) {
	return func(yield func(int) bool) {
		h := mix(hash)
		for range namesProbes {
			if !yield(int(h % (namesBlock * 8))) {
				return
			}
			h >>= 9
		}
	}
}

// mix spreads a hash over its bits.
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// nameHash is that of a name of a sort: user names and projects are told apart.
func nameHash(sort byte, name string) uint64 { return mix(uint64(idHash(string(sort) + name))) }

// sorted calls add with each name of a line, and a letter for what it names.
func (w *whoKey) sorted(add func(sort byte, name string)) {
	add('u', w.userID)
	add('u', w.userName)
	for _, o := range members(w.organizations) {
		add('o', o)
	}
	add('j', w.project)
	add('x', w.execution)
	add('a', w.addr)
}

func (w *whatKey) sorted(add func(sort byte, name string)) {
	add('k', w.kind)
	add('r', w.result)
	add('s', strconv.Itoa(w.status))
	add('T', w.targetType)
	add('t', w.targetID)
	add('n', w.targetName)
	for _, p := range members(w.providers) {
		add('p', p)
	}
	for _, m := range members(w.models) {
		add('m', m)
	}
}

// makeNames writes the file of names of a partition from its index.
func makeNames(ctx context.Context, db *sql.DB, dir string, s span) error {
	hashes := map[uint64]struct{}{}
	add := func(sort byte, name string) { hashes[nameHash(sort, name)] = struct{}{} }
	who, err := readLines(ctx, db, "SELECT id, "+whoColumns+" FROM who", (*whoKey).pointers)
	if err != nil {
		return fmt.Errorf("reading names of the index: %w", err)
	}
	what, err := readLines(ctx, db, "SELECT id, "+whatColumns+" FROM what", (*whatKey).pointers)
	if err != nil {
		return fmt.Errorf("reading names of the index: %w", err)
	}
	for w := range who {
		w.sorted(add)
	}
	for w := range what {
		w.sorted(add)
	}
	if err := addPairs(ctx, db, who, what, hashes); err != nil {
		return fmt.Errorf("reading pairs of the index: %w", err)
	}
	var names bloom
	if len(who) < maxLines && len(what) < maxLines {
		names = newBloom(len(hashes))
		for h := range hashes {
			names.add(h)
		}
	}
	ids, err := idBloom(ctx, db)
	if err != nil {
		return fmt.Errorf("reading ids of the index: %w", err)
	}
	head := make([]byte, namesHeader)
	copy(head, namesMagic[:])
	binary.LittleEndian.PutUint64(head[8:], s.first)
	binary.LittleEndian.PutUint64(head[16:], s.last)
	binary.LittleEndian.PutUint32(head[24:], uint32(len(names)/namesBlock))
	binary.LittleEndian.PutUint32(head[28:], uint32(len(ids)/namesBlock))
	binary.LittleEndian.PutUint32(head[4:], crc32.Checksum(head[8:], castagnoli))
	path := namesPath(filepath.Join(dir, s.day.dbName()))
	building := path + ".building"
	if err := os.WriteFile(building, bytes.Join([][]byte{head, names, ids}, nil), 0o600); err != nil {
		return fmt.Errorf("writing names of the index: %w", err)
	}
	if err := os.Rename(building, path); err != nil {
		return fmt.Errorf("writing names of the index: %w", err)
	}
	return nil
}

const (
	// pairedWho and pairedWhat are the sorts of names of which pairs are kept.
	pairedWho  = "uoj"
	pairedWhat = "tnrpm"
	// mostPairs bounds the pairs of lines of a partition whose names are kept, and so
	// the memory that making a file of names takes, to some 50 MB.
	mostPairs = 1 << 16
)

// allPairs is the hash that is among the names where their pairs are.
var allPairs = nameHash('*', "pairs")

// pairHash is that of two names that were together.
func pairHash(who, what uint64) uint64 { return mix(who*31 + what) }

// addPairs adds the pairs of names that were together in a record.
func addPairs(ctx context.Context, db *sql.DB, who map[whoKey]int64, what map[whatKey]int64, into map[uint64]struct{}) error {
	whos, whats := map[int64][]uint64{}, map[int64][]uint64{}
	for w, n := range who {
		w.sorted(func(sort byte, name string) { whos[n] = paired(whos[n], pairedWho, sort, name) })
	}
	for w, n := range what {
		w.sorted(func(sort byte, name string) { whats[n] = paired(whats[n], pairedWhat, sort, name) })
	}
	rows, err := db.QueryContext(ctx, "SELECT DISTINCT who, what FROM record LIMIT ?", mostPairs+1)
	if err != nil {
		return err
	}
	defer rows.Close()
	pairs, count := map[uint64]struct{}{}, 0
	for rows.Next() {
		var a, b int64
		if err := rows.Scan(&a, &b); err != nil {
			return err
		}
		if count++; count > mostPairs {
			return nil // too many; nothing is told of pairs
		}
		for _, x := range whos[a] {
			for _, y := range whats[b] {
				pairs[pairHash(x, y)] = struct{}{}
			}
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	maps.Copy(into, pairs)
	into[allPairs] = struct{}{}
	return nil
}

// paired adds the hash of a name if its sort is one of which pairs are kept.
func paired(list []uint64, sorts string, sort byte, name string) []uint64 {
	if strings.IndexByte(sorts, sort) < 0 || name == "" {
		return list
	}
	return append(list, nameHash(sort, name))
}

// together reports whether one of each of two lists may have been together.
func (n *names) together(who, what []uint64) bool {
	for _, x := range who {
		for _, y := range what {
			if n.has(0, n.names, pairHash(x, y)) {
				return true
			}
		}
	}
	return false
}

// idBloom is the filter of the ids of a partition, empty where there are too
// many.
func idBloom(ctx context.Context, db *sql.DB) (bloom, error) {
	var n int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM record").Scan(&n); err != nil || n > mostIDs {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, "SELECT id FROM record INDEXED BY record_id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	b := newBloom(n)
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		b.add(mix(uint64(id)))
	}
	return b, rows.Err()
}

// names is a file of names that is open.
type names struct {
	file       *os.File
	names, ids int // blocks
}

// openNames opens the file of names of a partition. What is not that is an
// error.
func openNames(dir string, s span) (*names, error) {
	file, err := os.Open(namesPath(filepath.Join(dir, s.day.dbName())))
	if err != nil {
		return nil, err
	}
	var head [namesHeader]byte
	_, err = io.ReadFull(file, head[:])
	n := &names{file, int(binary.LittleEndian.Uint32(head[24:])), int(binary.LittleEndian.Uint32(head[28:]))}
	info, statErr := file.Stat()
	switch {
	case err != nil || statErr != nil || [4]byte(head[:4]) != namesMagic,
		binary.LittleEndian.Uint32(head[4:]) != crc32.Checksum(head[8:], castagnoli),
		binary.LittleEndian.Uint64(head[8:]) != s.first || binary.LittleEndian.Uint64(head[16:]) != s.last,
		info.Size() != namesHeader+int64(n.names+n.ids)*namesBlock:
		file.Close()
		return nil, fmt.Errorf("%s is not of this partition", file.Name())
	}
	return n, nil
}

// has reports whether a hash may be among the blocks of a filter.
func (n *names) has(from, blocks int, hash uint64) bool {
	var block [namesBlock]byte
	if _, err := n.file.ReadAt(block[:], int64(namesHeader+from*namesBlock+blockOf(hash, blocks))); err != nil {
		return true
	}
	for probe := range probes(hash) {
		if block[probe/8]&(1<<(probe%8)) == 0 {
			return false
		}
	}
	return true
}

// mayHold reports whether there may be records in the partition that f selects.
func (n *names) mayHold(f *Filter) bool {
	if f.ID != "" && n.ids > 0 && !n.has(n.names, n.ids, mix(uint64(idHash(f.ID)))) {
		return false
	}
	if n.names == 0 {
		return true
	}
	for _, any := range f.names() {
		held := false
		for _, hash := range any {
			if held = n.has(0, n.names, hash); held {
				break
			}
		}
		if !held {
			return false
		}
	}
	who, what := f.pairs()
	if len(who) == 0 || len(what) == 0 || !n.has(0, n.names, allPairs) {
		return true
	}
	for _, x := range who {
		for _, y := range what {
			if len(x)*len(y) <= mostTogether && !n.together(x, y) {
				return false
			}
		}
	}
	return true
}

// mostTogether bounds how many pairs of two lists are looked for.
const mostTogether = 100

// pairs are the lists of f of which pairs are kept.
func (f *Filter) pairs() (who, what [][]uint64) {
	hashes := func(into *[][]uint64, sort byte, names []string) {
		if len(names) > 0 {
			var list []uint64
			for _, name := range names {
				list = append(list, nameHash(sort, name))
			}
			*into = append(*into, list)
		}
	}
	hashes(&who, 'u', f.Users)
	hashes(&who, 'o', f.Organizations)
	hashes(&who, 'j', f.Projects)
	if len(f.EndpointIDs) == 0 {
		hashes(&what, 'n', f.EndpointNames)
	}
	if len(f.EndpointNames) == 0 {
		hashes(&what, 't', f.EndpointIDs)
	}
	hashes(&what, 'n', f.TargetNames)
	hashes(&what, 't', f.TargetIDs)
	hashes(&what, 'r', f.Results)
	hashes(&what, 'p', f.Providers)
	hashes(&what, 'm', f.Models)
	return who, what
}

// names are the hashes of the names that f asks for: of each list one must be
// there.
func (f *Filter) names() (all [][]uint64) {
	add := func(sorts string, lists ...[]string) {
		var hashes []uint64
		for i, list := range lists {
			for _, name := range list {
				hashes = append(hashes, nameHash(sorts[i], name))
			}
		}
		if len(hashes) > 0 {
			all = append(all, hashes)
		}
	}
	add("u", f.Users)
	add("o", f.Organizations)
	add("j", f.Projects)
	add("x", f.Executions)
	add("a", f.ClientAddrs)
	add("k", f.Kinds)
	add("r", f.Results)
	add("tn", f.EndpointIDs, f.EndpointNames)
	add("t", f.TargetIDs)
	add("n", f.TargetNames)
	add("T", f.TargetTypes)
	add("p", f.Providers)
	add("m", f.Models)
	add("s", f.statuses())
	return all
}

// mostStatuses bounds how many statuses are looked for one by one.
const mostStatuses = 100

func (f *Filter) statuses() (all []string) {
	for _, s := range f.Statuses {
		for status := s.Low; status <= s.High; status++ {
			if len(all) == mostStatuses {
				return nil
			}
			all = append(all, strconv.Itoa(status))
		}
	}
	return all
}
