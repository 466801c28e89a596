package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Kinds of events about what happened to holds.
const (
	// KindHoldsFileChanged: the file of holds was not as the trail says, and was
	// written again. Somebody has changed it, or a crash came between the record
	// of a change and the file.
	KindHoldsFileChanged = "TrailHoldsFileChanged"
	// KindHoldsDoubted: the records of the trail do not say for sure which holds
	// there are. Nothing is dropped until an administrator says it.
	KindHoldsDoubted = "TrailHoldsDoubted"
)

// errNotJudged says that the keys of the trail are not known yet.
var errNotJudged = errors.New("the keys that the trail is signed with are not known yet, so no day is dropped")

// holds are what is known of the holds of a trail that is written.
type holds struct {
	dir    string
	opened time.Time // when the trail was
	first  bool      // there was no trail before
	found  *head     // the last signed head that was found; nil: there is none

	mu      sync.Mutex // held while holds change and while a partition is dropped; guards the following fields
	told    *holding   // by the trail
	awaited bool       // the keys are to come
	judged  bool       // the keys were there, and what was found was held against them
	floor   int64      // a version that there was
	doubt   error      // why told may not be all; wraps ErrHoldsDoubted
	altered error      // what was last found wrong with the file

	head atomic.Pointer[string] // what the head says of them
}

// openHolds takes what the trail tells. awaited says that its keys are to come.
func openHolds(dir string, state *found, awaited bool, now time.Time) *holds {
	h := &holds{
		dir: dir, opened: now.Truncate(time.Second), first: state.pos.seq == 0, found: state.head.lastSigned(),
		told: state.holding, awaited: awaited,
	}
	if state.head != nil {
		// Until it is judged the head goes on to say what it said.
		h.head.Store(&state.head.Holding)
	} else {
		h.publish()
	}
	return h
}

// publish makes what stands now what the head says.
func (h *holds) publish() {
	text := h.told.heading()
	if h.doubt != nil {
		text = fmt.Sprintf("%d %s", max(h.floor, h.told.version()), holdingDoubted)
	}
	h.head.Store(&text)
}

// holdingDoubted is in a head in place of the digest.
const holdingDoubted = "doubted"

func (h *holds) heading() string { return *h.head.Load() }

// judgeHolds holds what the trail tells of the holds against the keys, which are
// kept elsewhere: whoever can write the folder can write both another log and
// another head, and sign neither. It is done once, for what was found at the
// start; what this process changes it knows.
func (t *Trail) judgeHolds(keys []PublicKey) {
	s := t.holds
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awaited = false
	if !s.judged && len(keys) > 0 { // else it was never signed
		s.judged = true
		t.doubtHolds(keys)
	}
	if err := t.compareHolds(); err != nil {
		t.log.Warn("comparing the file of holds with the trail", zap.Error(err))
	}
}

// resignHolds has what stands signed with a new key, as a change that changes
// nothing: with the old one, whoever has kept it could say that less is held.
func (t *Trail) resignHolds(with Signer) error {
	s := t.holds
	s.mu.Lock()
	stands, doubt := s.told, s.doubt
	s.mu.Unlock()
	id, _, err := with.Key()
	if err != nil || doubt != nil || stands == nil || stands.Signature == "" || stands.KeyID == id {
		return err
	}
	return t.changeHolds(nil, KindSetHolds, false, func(list []Hold) ([]Hold, error) { return list, nil })
}

// doubtHolds is judgeHolds with holds.mu held.
func (t *Trail) doubtHolds(keys []PublicKey) {
	s := t.holds
	if why := s.judge(keys, t.id, t.now()); why != "" {
		s.doubt = fmt.Errorf("%w: %s", ErrHoldsDoubted, why)
		t.log.Error("no day of the trail is dropped until an administrator sets the holds again", zap.Error(s.doubt))
		err := t.Event(&Event{Kind: KindHoldsDoubted, TargetType: "trail", TargetName: t.id, Metadata: map[string]string{
			"reason": why, "version": strconv.FormatInt(s.told.version(), 10),
		}})
		if err != nil {
			t.log.Warn("the doubt about holds was not recorded", zap.Error(err))
		}
	}
	s.publish()
}

// judge says why told may not be all there is to know; "": it is.
func (h *holds) judge(keys []PublicKey, trail string, now time.Time) string {
	young := true // the trail was not signed before it was opened
	for _, k := range keys {
		young = young && !k.Created.Before(h.opened) && !k.Created.After(now.Add(time.Minute)) // else the clock was set back
	}
	known, digest, err := h.found.holding()
	switch {
	case h.first || young:
		return ""
	case h.told != nil && !h.told.signedBy(keys, trail):
		return "the record that tells of them is not signed with a key of this gateway"
	case h.found == nil:
		return "the head of the trail, " + headName + ", is missing or was never signed"
	case !h.found.verified(keys, trail) || err != nil:
		return "the head of the trail, " + headName + ", is not signed with a key of this gateway"
	}
	h.floor = known
	switch {
	case digest == holdingDoubted:
		return "they were in doubt before, and nobody has set them again"
	case known > h.told.version():
		return fmt.Sprintf("the head of the trail tells of a change of %s, of which there is no record", time.Unix(0, known).UTC().Format(time.RFC3339))
	case known == h.told.version() && digest != h.told.digest():
		return "the head of the trail tells of others than the records do"
	}
	return ""
}

// holding is what the head says of holds: the version, and the digest or
// holdingDoubted.
func (h *head) holding() (version int64, digest string, err error) {
	if h == nil || h.Holding == "" {
		return 0, "", nil
	}
	number, digest, _ := strings.Cut(h.Holding, " ")
	version, err = strconv.ParseInt(number, 10, 64)
	return version, digest, err
}

// write writes the file.
func (h *holds) write() error {
	err := writeWhole(filepath.Join(h.dir, HoldsFile), holdsFileText(h.told.list()))
	if err == nil {
		err = syncDir(h.dir)
	}
	if err != nil {
		return fmt.Errorf("writing the holds of the trail: %w", err)
	}
	return nil
}

// mostOfHoldsFile bounds what is read of the file.
const mostOfHoldsFile = 4 * mostHolds

// readHoldsFile returns the content of the file, as much as it can honestly
// have. A missing one is that of no holds.
func readHoldsFile(dir string) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, HoldsFile))
	if errors.Is(err, os.ErrNotExist) {
		return holdsFileText(nil), nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, mostOfHoldsFile))
}

// compareHolds holds the file against the trail, and writes it again where it is
// another: that is recorded, and what was found is kept aside. After an error it
// is another still. While it is in doubt what the trail says, the file is left as
// it is. It is called with holds.mu held.
func (t *Trail) compareHolds() error {
	s := t.holds
	if s.awaited || s.doubt != nil {
		return nil // the file may be right
	}
	text, err := readHoldsFile(t.dir)
	if err == nil && bytes.Equal(text, holdsFileText(s.told.list())) {
		return nil
	}
	sum := sha256.Sum256(text)
	e := &Event{Kind: KindHoldsFileChanged, TargetType: "trail", TargetName: t.id, Metadata: map[string]string{
		"version": strconv.FormatInt(s.told.version(), 10), "holds": strconv.Itoa(len(s.told.list())), "sha256": hex.EncodeToString(sum[:]),
	}}
	if err != nil {
		e.Metadata["error"] = err.Error()
	}
	aside := fmt.Sprintf("%s.found-%d", HoldsFile, t.now().UnixNano())
	switch err := os.Rename(filepath.Join(t.dir, HoldsFile), filepath.Join(t.dir, aside)); {
	case err == nil:
		e.Metadata["file"] = aside
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("setting the file of holds aside: %w", err)
	default:
		e.Metadata["file"] = "missing"
	}
	if err := s.write(); err != nil {
		return err
	}
	s.altered = fmt.Errorf("the file of holds was not as the trail says, and was written again (%s)", t.now().UTC().Format(time.RFC3339))
	t.log.Error("the file of holds was not as the trail says; it was written again", zap.String("found", e.Metadata["file"]))
	return t.Event(e)
}

// HoldsDoubt says why it is not sure which holds there are, nil when it is.
// Nothing is dropped while it is not; SetHolds ends that.
func (t *Trail) HoldsDoubt() error {
	t.holds.mu.Lock()
	defer t.holds.mu.Unlock()
	return t.holds.doubt
}

// HoldsAltered says that the file of holds was found changed since the trail was
// opened, and when last; nil when it was not. What the trail says counted and counts.
func (t *Trail) HoldsAltered() error {
	t.holds.mu.Lock()
	defer t.holds.mu.Unlock()
	return t.holds.altered
}

// watchHolds compares the file from time to time.
func (t *Trail) watchHolds() {
	t.holds.mu.Lock()
	defer t.holds.mu.Unlock()
	if err := t.compareHolds(); err != nil {
		t.log.Warn("comparing the file of holds with the trail", zap.Error(err))
	}
}
