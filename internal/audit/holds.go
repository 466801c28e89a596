package audit

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"
)

// HoldsFile is the name of the file of holds in the folder of a trail.
const HoldsFile = "holds.json"

// Errors of holds.
var (
	// ErrHoldExists says that a hold has this name already.
	ErrHoldExists = errors.New("there is a hold of this name")
	// ErrNoHold says that no hold has this name.
	ErrNoHold = errors.New("there is no hold of this name")
	// ErrBadHold wraps what is wrong with a hold.
	ErrBadHold = errors.New("the hold is not valid")
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

// holds are the holds of a trail, as kept in its file.
type holds struct {
	dir string

	mu   sync.Mutex // held while holds change and while a partition is dropped; guards the following fields
	list []Hold
	err  error // why the file could not be read: then nothing is dropped
}

func openHolds(dir string) *holds {
	h := &holds{dir: dir}
	h.list, h.err = ReadHolds(dir)
	return h
}

// ReadHolds reads the holds of the trail in dir, by name. Where there is no
// file there are none.
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

// keep reports whether a hold keeps d. While the file can't be read all is kept.
func (h *holds) keep(d day) (bool, error) {
	if h.err != nil {
		if h.list, h.err = ReadHolds(h.dir); h.err != nil {
			return true, h.err
		}
	}
	return slices.ContainsFunc(h.list, func(x Hold) bool { return x.keeps(d) }), nil
}

// save writes list to the file and then makes it the one that counts.
func (h *holds) save(list []Hold) error {
	data, err := json.MarshalIndent(list, "", "  ")
	if err == nil {
		err = writeWhole(filepath.Join(h.dir, HoldsFile), append(data, '\n'))
	}
	if err == nil {
		err = syncDir(h.dir)
	}
	if err != nil {
		return fmt.Errorf("writing the holds of the trail: %w", err)
	}
	h.list = list
	return nil
}

// Holds returns the holds by name. The error says that they can't be read;
// retention drops nothing then.
func (t *Trail) Holds() ([]Hold, error) {
	t.holds.mu.Lock()
	defer t.holds.mu.Unlock()
	return slices.Clone(t.holds.list), t.holds.err
}

// AddHold sets a hold. What was dropped before does not come back. The errors
// are ErrBadHold, ErrHoldExists and what the disk says; after each of them all
// is as it was. The caller records the change.
func (t *Trail) AddHold(h Hold) error {
	if err := h.Check(); err != nil {
		return err
	}
	t.holds.mu.Lock()
	defer t.holds.mu.Unlock()
	if t.holds.err != nil {
		return t.holds.err
	}
	at, found := slices.BinarySearchFunc(t.holds.list, h.Name, byName)
	if found {
		return fmt.Errorf("%w: %s", ErrHoldExists, h.Name)
	}
	return t.holds.save(slices.Insert(slices.Clone(t.holds.list), at, h))
}

// RemoveHold lifts a hold; the next retention drops what it kept, unless
// another hold does, too. The errors are ErrNoHold and what the disk says.
func (t *Trail) RemoveHold(name string) error {
	t.holds.mu.Lock()
	defer t.holds.mu.Unlock()
	if t.holds.err != nil {
		return t.holds.err
	}
	at, found := slices.BinarySearchFunc(t.holds.list, name, byName)
	if !found {
		return fmt.Errorf("%w: %s", ErrNoHold, name)
	}
	if err := t.holds.save(slices.Delete(slices.Clone(t.holds.list), at, at+1)); err != nil {
		return err
	}
	t.keeper.again.Store(true)
	return nil
}

func byName(h Hold, name string) int { return cmp.Compare(h.Name, name) }
