package audit

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const headName = "head.json"

// head is the end of the trail at some moment. It is kept in a file of its own
// so that removing whole records from the end of the log is found out: the
// chain alone can't tell.
type head struct {
	Sequence uint64 `json:"sequence"` // of the last frame
	Hash     string `json:"hash"`     // its chain hash, hex
	Day      string `json:"day"`      // the segment it is in
	Offset   int64  `json:"offset"`   // where it ends in the segment
	// Clean says that the trail was closed and nothing came after.
	Clean bool   `json:"clean"`
	Trail string `json:"trail,omitempty"` // the id of the trail
	// Holding is what stands about holds: how often they were changed, and the
	// SHA-256 of them, or that they are in doubt (see holds.doubt).
	Holding string `json:"holding"`
	// The following are there when it is signed (see Signer), Clean with it.
	Time      *time.Time `json:"time,omitempty"`
	KeyID     string     `json:"keyId,omitempty"`
	Signature string     `json:"signature,omitempty"`
	// Last is the last head that was signed, where this one could not be.
	Last *head `json:"last,omitempty"`
}

// lastSigned is h, or that which was signed before it; nil: none was.
func (h *head) lastSigned() *head {
	switch {
	case h == nil:
		return nil
	case h.Signature != "":
		return h
	}
	return h.Last
}

// verified reports whether h is signed by one of the keys, for this trail. A
// start that died early leaves the signature of the head of a closed trail on
// one that is not closed any more.
func (h *head) verified(keys []PublicKey, trail string) bool {
	if h == nil || h.Time == nil || h.Trail != trail {
		return false
	}
	return slices.ContainsFunc(keys, func(k PublicKey) bool {
		return KeyID(k.Key) == h.KeyID && !k.goneAt(*h.Time) && (verifySignature(k.Key, h.Signature, h.text(headLabel)) || verifySignature(k.Key, h.Signature, h.text(closedLabel)))
	})
}

// text is what the signature of h is over.
func (h *head) text(label string) []byte {
	return fmt.Appendf(signedText(label, h.Trail, h.Sequence, h.Hash, *h.Time, h.KeyID), "%s\n", h.Holding)
}

// label is what begins the text that is signed.
func (h *head) label() string {
	if h.Clean {
		return closedLabel
	}
	return headLabel
}

// position is a head as the writer has it.
type position struct {
	seq  uint64
	hash chainHash
	day  day
	off  int64 // end of the last frame
	last int64 // start of the last frame
}

func (p position) head(trail string, clean bool) head {
	return head{Trail: trail, Sequence: p.seq, Hash: hex.EncodeToString(p.hash[:]), Day: p.day.String(), Offset: p.off, Clean: clean}
}

// readHead returns nil when there is no head.
func readHead(dir string) (*head, error) {
	data, err := os.ReadFile(filepath.Join(dir, headName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the head: %w", err)
	}
	var h head
	if err := json.Unmarshal(data, &h); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, headName, err)
	}
	return &h, nil
}

func writeHead(dir string, h head) error {
	data, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encoding the head: %w", err)
	}
	if err := writeWhole(filepath.Join(dir, headName), append(data, '\n')); err != nil {
		return fmt.Errorf("writing the head: %w", err)
	}
	return nil
}
