package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

const (
	// RestoredFile marks a folder that was made of a backup: the next Open gives
	// the records that follow a name of their own.
	RestoredFile = "restored"
	// IDsFile holds under which ids records are known, where a restore changed it.
	IDsFile = "ids.json"
)

// KindRestored: the trail goes on from a backup. Records that were written after
// the backup are not in it, and their sequences are used again; so that whoever
// received them does not take the new ones for repeats, these have another id.
const KindRestored = "TrailRestored"

// incarnation says from which sequence on records are known under an id.
type incarnation struct {
	From uint64 `json:"from"`
	ID   string `json:"id"`
}

// incarnations are in order; the first is from the beginning.
type incarnations []incarnation

// current is the id of what is written now.
func (n incarnations) current() string { return n[len(n)-1].ID }

// recordID names the record that began with sequence seq.
func (n incarnations) recordID(seq uint64) string {
	i := len(n) - 1
	for i > 0 && n[i].From > seq {
		i--
	}
	return n[i].ID + "-" + strconv.FormatUint(seq, 10)
}

// readIncarnations returns those of the trail in dir, whose own id is trail.
func readIncarnations(dir, trail string) (incarnations, error) {
	all := incarnations{{ID: trail}}
	data, err := os.ReadFile(filepath.Join(dir, IDsFile))
	if errors.Is(err, os.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the ids of the trail: %w", err)
	}
	var later incarnations
	if err := json.Unmarshal(data, &later); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, IDsFile, err)
	}
	return append(all, later...), nil
}

// restored looks whether the folder was made of a backup since it was last open,
// and then gives what follows last another id. The event tells of it.
func (n incarnations) restored(dir string, last uint64) (incarnations, *Event, error) {
	mark := filepath.Join(dir, RestoredFile)
	if _, err := os.Stat(mark); errors.Is(err, os.ErrNotExist) {
		return n, nil, nil
	} else if err != nil {
		return nil, nil, fmt.Errorf("looking for a restore: %w", err)
	}
	next, err := n.anew(dir, last)
	if err != nil {
		return nil, nil, err
	}
	if err := os.Remove(mark); err != nil {
		return nil, nil, fmt.Errorf("noting a restore: %w", err)
	}
	return next, &Event{Kind: KindRestored, TargetType: "trail", TargetName: next.current(), Changes: []Change{
		{Field: "id", Before: n.current(), After: next.current()},
	}}, nil
}

// anew gives what follows last another id.
func (n incarnations) anew(dir string, last uint64) (incarnations, error) {
	next := append(n[:len(n):len(n)], incarnation{From: last + 1, ID: newID()})
	data, err := json.Marshal(next[1:])
	if err != nil {
		return nil, fmt.Errorf("encoding the ids of the trail: %w", err)
	}
	if err := writeWhole(filepath.Join(dir, IDsFile), append(data, '\n')); err != nil {
		return nil, fmt.Errorf("writing the ids of the trail: %w", err)
	}
	return next, nil
}

// renamed gives what follows another id when records are missing at the end: their
// sequences are used again, and receivers may have them.
func (t *Trail) renamed(state *found) error {
	if state.used == 0 {
		return nil
	}
	before := t.ids.current()
	var err error
	if t.ids, err = t.ids.anew(t.dir, state.pos.seq); err != nil {
		return err
	}
	for _, e := range state.events {
		if e.Kind == KindRecordsMissing {
			e.Changes = []Change{{Field: "id", Before: before, After: t.ids.current()}}
		}
	}
	return nil
}
