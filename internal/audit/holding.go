package audit

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// Kinds of the events that change holds. Their metadata have all holds that stand
// from then on: the trail, and not the file, says what is held.
const (
	KindCreateHold = "CreateHold"
	KindDeleteHold = "DeleteHold"
	// KindSetHolds: all holds were set anew.
	KindSetHolds = "SetHolds"
)

// Names in the metadata of these events.
const (
	metaHolds, metaHoldsVersion        = "holds", "holdsVersion"
	metaHoldsKeyID, metaHoldsSignature = "holdsKeyId", "holdsSignature"
)

const holdsLabel = "sluice audit holds 1"

// holding is what the trail tells of the holds: all of them after a change, and
// signed by itself, so that neither the end of the log behind the last
// checkpoint nor the file can say something else. Events tell of it, and the
// first frame of each segment repeats it, as it does the gaps. Nil is that of a
// trail that never had one.
type holding struct {
	// Version is when the change was made, in Unix nanoseconds, and at least one
	// more than that of the change before: none that was signed once can be put in
	// place of a later one.
	Version   int64  `json:"version"`
	Holds     []Hold `json:"holds"` // by name
	KeyID     string `json:"keyId,omitempty"`
	Signature string `json:"signature,omitempty"` // base64
}

func (h *holding) version() int64 {
	if h == nil {
		return 0
	}
	return h.Version
}

func (h *holding) list() []Hold {
	if h == nil {
		return nil
	}
	return h.Holds
}

// encodeHolds is the JSON of holds in the trail. It is the same for the same holds.
func encodeHolds(list []Hold) []byte {
	text, err := json.Marshal(append([]Hold{}, list...))
	if err != nil {
		panic(err) // texts and times of years that are parsed always marshal
	}
	return text
}

// holdsFileText is the content of HoldsFile.
func holdsFileText(list []Hold) []byte {
	var out bytes.Buffer
	if err := json.Indent(&out, encodeHolds(list), "", "  "); err != nil {
		panic(err) // it was just encoded
	}
	return append(out.Bytes(), '\n')
}

// digest is the SHA-256 of the holds, hex.
func (h *holding) digest() string {
	sum := sha256.Sum256(encodeHolds(h.list()))
	return hex.EncodeToString(sum[:])
}

// heading is what a head says of h.
func (h *holding) heading() string { return fmt.Sprintf("%d %s", h.version(), h.digest()) }

// signedHolds is what the signature of a holding is over.
func (h *holding) signedHolds(trail, keyID string) []byte {
	return fmt.Appendf(nil, "%s\n%s\n%d\n%s\n%s\n", holdsLabel, trail, h.Version, h.digest(), keyID)
}

// sign signs h. Without a signer it stays unsigned.
func (h *holding) sign(s *Signer, trail string) error {
	if s == nil {
		return nil
	}
	id, key, err := (*s).Key()
	if err != nil {
		return err
	}
	sum, err := key.Sign(nil, h.signedHolds(trail, id), crypto.Hash(0))
	if err != nil {
		return err
	}
	h.KeyID, h.Signature = id, base64.StdEncoding.EncodeToString(sum)
	return nil
}

// signedBy reports whether one of the keys has signed h, before it was retired.
func (h *holding) signedBy(keys []PublicKey, trail string) bool {
	sum, err := base64.StdEncoding.DecodeString(h.Signature)
	return err == nil && slices.ContainsFunc(keys, func(k PublicKey) bool {
		gone := k.Retired != nil && h.Version > k.Retired.UnixNano()
		return len(k.Key) == ed25519.PublicKeySize && KeyID(k.Key) == h.KeyID && !gone && ed25519.Verify(k.Key, h.signedHolds(trail, h.KeyID), sum)
	})
}

// describe puts h into the metadata of the event that makes it.
func (h *holding) describe(e *Event) {
	if e.Metadata == nil {
		e.Metadata = map[string]string{}
	}
	e.Metadata[metaHolds] = string(encodeHolds(h.Holds))
	e.Metadata[metaHoldsVersion] = strconv.FormatInt(h.Version, 10)
	if h.Signature != "" {
		e.Metadata[metaHoldsKeyID], e.Metadata[metaHoldsSignature] = h.KeyID, h.Signature
	}
}

// holdingOf is what an event tells of the holds; nil: nothing.
func holdingOf(e *Event) *holding {
	if e.Kind != KindCreateHold && e.Kind != KindDeleteHold && e.Kind != KindSetHolds {
		return nil
	}
	h := &holding{KeyID: e.Metadata[metaHoldsKeyID], Signature: e.Metadata[metaHoldsSignature]}
	var err error
	h.Version, err = strconv.ParseInt(e.Metadata[metaHoldsVersion], 10, 64)
	if err != nil || h.Version <= 0 || json.Unmarshal([]byte(e.Metadata[metaHolds]), &h.Holds) != nil {
		return nil
	}
	return h
}

// later is that of the two which tells of the later change.
func (h *holding) later(other *holding) *holding {
	if other.version() > h.version() {
		return other
	}
	return h
}
