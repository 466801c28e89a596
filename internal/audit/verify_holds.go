package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// custody is what a walk knows of holds.
type custody struct {
	file   []byte   // as it was before the walk
	told   *holding // by the trail, at its end
	before *holding // by the trail, before that
	by     uint64   // sequence of the frame that first told of it
}

// tell notes what the frame seq tells.
func (c *custody) tell(seq uint64, h *holding) {
	switch {
	case h.version() > c.told.version():
		c.told, c.before, c.by = h, c.told, seq
	case h != nil && h.version() == c.told.version():
		c.by = min(c.by, seq)
	case h.version() > c.before.version():
		c.before = h
	}
}

func (v *walk) heed(seq uint64, t told) {
	v.gaps.tell(seq, t.gaps...)
	v.custody.tell(seq, t.holding)
}

// readHolds reads the file of holds before the segments: a change is in the
// trail first.
func (v *walk) readHolds() (err error) {
	if v.custody.file, err = readHoldsFile(v.dir); err != nil {
		return fmt.Errorf("reading %s: %w", HoldsFile, err)
	}
	return nil
}

// A change that a gateway makes at this moment is waited for so often, and so long.
const (
	holdsTries = 20
	holdsPause = 50 * time.Millisecond
)

// holdsProblem says what is wrong with the holds, at the end of a walk: the file,
// or that it is not sure what the trail tells of them.
func (v *walk) holdsProblem(ctx context.Context, files []*scanner) (*Problem, error) {
	if v.manifest != nil {
		return v.excerptHolds(), nil
	}
	if p := v.holdsTold(); p != nil || len(files) == 0 {
		return p, nil
	}
	c := &v.custody
	if bytes.Equal(c.file, holdsFileText(c.told.list())) {
		return nil, nil
	}
	for try := range holdsTries {
		if try > 0 {
			select {
			case <-time.After(holdsPause):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		if err := v.readHolds(); err != nil {
			return nil, err
		}
		if bytes.Equal(c.file, holdsFileText(c.told.list())) {
			return nil, nil
		}
		if err := v.gather(ctx, files); err != nil { // it may have been changed since
			return nil, err
		}
	}
	if v.at.seq <= c.by+1 && bytes.Equal(c.file, holdsFileText(c.before.list())) {
		return nil, nil // a crash came between the two; a checkpoint may be behind the record
	}
	why := fmt.Sprintf("it is not the file that the record %d tells of: somebody has changed it. The next start writes it again", c.by)
	switch _, err := os.Stat(filepath.Join(v.dir, HoldsFile)); {
	case c.told == nil:
		why = "it holds something, and the trail tells of no holds"
	case errors.Is(err, os.ErrNotExist):
		why = fmt.Sprintf("it is missing, and the record %d tells of holds: somebody has removed it. The next start writes it again", c.by)
	}
	return &Problem{HoldsFile, 0, c.by, why}, nil
}

// holdsTold says why the trail itself does not tell for sure what is held.
func (v *walk) holdsTold() *Problem {
	c, g := &v.custody, &v.signed
	if c.told != nil && len(g.keys) > 0 && (c.told.Signature != "" || g.demand && c.by > g.covered) &&
		!c.told.signedBy(slices.Collect(maps.Values(g.keys)), g.trail) {
		return &Problem{HoldsFile, 0, c.by, "what the record tells of holds is not signed with a key to verify with"}
	}
	known, digest, err := g.head.holding()
	switch {
	case g.head == nil || v.memory != nil:
		return nil
	case err != nil:
		return &Problem{headName, 0, v.at.seq, "what it says of holds can't be read"}
	case digest == holdingDoubted:
		return &Problem{headName, 0, v.at.seq, "it is in doubt which holds there are; an administrator has to set them again"}
	case known > c.told.version() || known == c.told.version() && digest != "" && digest != c.told.digest():
		return &Problem{headName, 0, v.at.seq, "it tells of holds of which there is no record"}
	}
	return nil
}

// excerptHolds holds the file against the manifest of an excerpt.
func (v *walk) excerptHolds() *Problem {
	for _, f := range v.manifest.Files {
		sum := sha256.Sum256(v.custody.file)
		if f.Name == HoldsFile && f.SHA256 != hex.EncodeToString(sum[:]) {
			return &Problem{HoldsFile, 0, v.at.seq, "it is not the file that the manifest names"}
		}
	}
	return nil
}
