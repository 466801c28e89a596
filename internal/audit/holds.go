package audit

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"go.uber.org/zap"
)

// HoldsFile is the name of the file of holds in the folder of a trail. It is there
// for people and programs without a gateway: what holds there are the trail says.
const HoldsFile = "holds.json"

// Errors of holds.
var (
	// ErrHoldExists says that a hold has this name already.
	ErrHoldExists = errors.New("there is a hold of this name")
	// ErrNoHold says that no hold has this name.
	ErrNoHold = errors.New("there is no hold of this name")
	// ErrBadHold wraps what is wrong with a hold.
	ErrBadHold = errors.New("the hold is not valid")
	// ErrTooManyHolds says that all holds together are longer than the trail
	// repeats each day.
	ErrTooManyHolds = errors.New("there are too many holds, or their reasons are too long: together they may have 256 KiB")
	// ErrHoldsUnsigned says that the key that signs the trail is not at hand, and
	// so nothing of the holds was changed.
	ErrHoldsUnsigned = errors.New("a change of holds has to be signed, and the key of the trail is not at hand")
	// ErrHoldsDoubted wraps why it is not sure which holds there are. Nothing is
	// dropped then, until SetHolds says it.
	ErrHoldsDoubted = errors.New("it is not sure which holds there are")
)

// Hold keeps the partitions of a range of days from retention, for as long as
// it stands.
type Hold struct {
	Name    string    `json:"name"`         // letters, digits, . _ and -, up to 64
	From    string    `json:"from"`         // the first UTC day, YYYY-MM-DD
	To      string    `json:"to,omitempty"` // the last UTC day; "": open
	Reason  string    `json:"reason"`       // why: up to 1000 characters
	Created time.Time `json:"created"`
	By      string    `json:"by,omitempty"` // name of the user who set it
}

var holdName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

const maxReason = 1000

// mostHolds bounds all holds, in bytes of JSON: each day begins with them.
const mostHolds = 256 << 10

// Check wraps ErrBadHold when something of h is not as it must be.
func (h Hold) Check() error {
	from, fromErr := parseDay(h.From)
	to, toErr := parseDay(h.To)
	bad := ""
	switch {
	case !holdName.MatchString(h.Name):
		bad = "its name must be 1 to 64 letters, digits, dots, dashes and underscores, and begin with a letter or digit"
	case fromErr != nil:
		bad = "from must be a day as 2026-03-10"
	case h.To != "" && toErr != nil:
		bad = "to must be a day as 2026-03-10, or be left out"
	case h.To != "" && to < from:
		bad = "to must not be before from"
	case h.Reason == "":
		bad = "a reason must be given"
	case len([]rune(h.Reason)) > maxReason:
		bad = fmt.Sprintf("the reason must not be longer than %d characters", maxReason)
	default:
		return nil
	}
	return fmt.Errorf("%w: %s", ErrBadHold, bad)
}

// Keeps reports whether a day, YYYY-MM-DD, is among those of h.
func (h Hold) Keeps(name string) bool {
	d, err := parseDay(name)
	return err == nil && h.keeps(d)
}

func (h Hold) keeps(d day) bool {
	from, err := parseDay(h.From)
	if err != nil || d < from {
		return false
	}
	to, err := parseDay(h.To)
	return h.To == "" || err == nil && d <= to
}

// ReadHolds reads the file of holds of the trail in dir. Where there is no file
// there are none. Whether it is as the trail says is for VerifyDir to find out.
func ReadHolds(dir string) ([]Hold, error) {
	data, err := os.ReadFile(filepath.Join(dir, HoldsFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var list []Hold
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	for _, h := range list {
		if err == nil {
			err = h.Check()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the holds of the trail: %s: %w", HoldsFile, err)
	}
	return list, nil
}

// heldBy reports whether a hold keeps d. While it is not sure which holds there
// are all is kept.
func (t *Trail) heldBy(d day) (bool, error) {
	if err := t.compareHolds(); err != nil {
		return true, err
	}
	return t.holds.keep(d)
}

// keep is heldBy without a look at the file.
func (s *holds) keep(d day) (bool, error) {
	switch {
	case s.awaited:
		return true, errNotJudged
	case s.doubt != nil:
		return true, s.doubt
	}
	return slices.ContainsFunc(s.told.list(), func(x Hold) bool { return x.keeps(d) }), nil
}

// Holds returns the holds by name, as the trail tells of them.
func (t *Trail) Holds() []Hold {
	t.holds.mu.Lock()
	defer t.holds.mu.Unlock()
	return slices.Clone(t.holds.told.list())
}

// AddHold sets a hold, and writes the event that tells of it; nil makes one. What
// was dropped before does not come back. The errors are ErrBadHold,
// ErrHoldExists, ErrTooManyHolds, ErrHoldsDoubted, ErrHoldsUnsigned and those of
// Event; after each of them all is as it was.
func (t *Trail) AddHold(h Hold, e *Event) error {
	if err := h.Check(); err != nil {
		return err
	}
	return t.changeHolds(e, KindCreateHold, false, func(list []Hold) ([]Hold, error) {
		at, found := slices.BinarySearchFunc(list, h.Name, byName)
		if found {
			return nil, fmt.Errorf("%w: %s", ErrHoldExists, h.Name)
		}
		return slices.Insert(list, at, h), nil
	})
}

// RemoveHold lifts a hold; the next retention drops what it kept, unless
// another hold does, too. The errors are ErrNoHold, ErrHoldsDoubted,
// ErrHoldsUnsigned and those of Event.
func (t *Trail) RemoveHold(name string, e *Event) error {
	return t.changeHolds(e, KindDeleteHold, false, func(list []Hold) ([]Hold, error) {
		at, found := slices.BinarySearchFunc(list, name, byName)
		if !found {
			return nil, fmt.Errorf("%w: %s", ErrNoHold, name)
		}
		return slices.Delete(list, at, at+1), nil
	})
}

// SetHolds puts all holds that there are to be in place of those that there are,
// which ends a doubt about them. The errors are ErrBadHold, ErrHoldExists where
// two have a name, ErrTooManyHolds, ErrHoldsUnsigned and those of Event.
func (t *Trail) SetHolds(list []Hold, e *Event) error {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Hold) int { return cmp.Compare(a.Name, b.Name) })
	for i, h := range list {
		if err := h.Check(); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
		if i > 0 && list[i-1].Name == h.Name {
			return fmt.Errorf("%w: %s", ErrHoldExists, h.Name)
		}
	}
	return t.changeHolds(e, KindSetHolds, true, func([]Hold) ([]Hold, error) { return list, nil })
}

// changeHolds makes a change: the event says what stands then, and the file
// follows. A crash between the two is mended at the next start.
func (t *Trail) changeHolds(e *Event, kind string, doubted bool, change func([]Hold) ([]Hold, error)) error {
	s := t.holds
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case t.reading:
		return ErrClosed
	case s.doubt != nil && !doubted:
		return s.doubt
	}
	list, err := change(slices.Clone(s.told.list()))
	if err != nil {
		return err
	}
	t.reasons(list, s.told.list())
	if len(encodeHolds(list)) > mostHolds {
		return ErrTooManyHolds
	}
	next := &holding{Version: max(t.now().UnixNano(), s.told.version()+1, s.floor+1), Holds: list}
	if err := next.sign(t.signer.Load(), t.id); err != nil {
		return fmt.Errorf("%w: %w", ErrHoldsUnsigned, err)
	}
	event := Event{Kind: kind, TargetType: "hold"}
	if e != nil {
		event = *e
		event.Metadata = maps.Clone(e.Metadata)
	}
	next.describe(&event)
	if holdingOf(&event) == nil {
		return fmt.Errorf("%w: %s tells of no holds", ErrBadHold, event.Kind)
	}
	if err := t.Event(&event); err != nil {
		return err
	}
	s.told, s.doubt = next, nil
	s.publish()
	t.settleHolds()
	t.keeper.again.Store(true)
	return nil
}

// settleHolds makes a change last: it is signed, on the disk, and at the head, so
// that neither a failure of the power nor cutting the end of the log off takes it
// back. The change stands whatever comes of that.
func (t *Trail) settleHolds() {
	err := t.Checkpoint()
	pos, file := t.writer.current()
	switch syncErr := file.Sync(); {
	case syncErr == nil:
		t.writer.reached(file, pos)
	case !errors.Is(syncErr, os.ErrClosed):
		// The system tells it once: the keeper would not learn of it.
		t.log.Warn("syncing a change of holds failed; the segment is written again", zap.Error(syncErr))
		err = errors.Join(err, t.writer.distrust(file))
	}
	if err == nil {
		err = t.writeHead(pos, false)
	}
	if err == nil {
		err = t.holds.write()
	}
	if err != nil {
		t.log.Warn("the holds of the trail were changed, and not all of that is on the disk yet", zap.Error(err))
	}
}

func byName(h Hold, name string) int { return cmp.Compare(h.Name, name) }
