package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// afterHead is how long records may go on behind a signed head: the gateway
// signs a new one every few seconds.
const afterHead = 2 * time.Minute

// Signatures are what Verify found signed.
type Signatures struct {
	Checkpoints int `json:"checkpoints"` // whose signature was verified
	// Until is the last record that a verified signature covers; 0: none.
	Until uint64 `json:"until"`
	// Keys are those that were used, in the order in which they were met.
	Keys []KeyUse `json:"keys,omitempty"`
	// Unsigned are runs of records of which nothing shows that they are what
	// the gateway wrote: they were linked, and at most signed after a while.
	Unsigned []Unsigned `json:"unsigned,omitempty"`
}

// KeyUse is what one key signed.
type KeyUse struct {
	ID          string `json:"id"`
	Checkpoints int    `json:"checkpoints"`
	First       uint64 `json:"first"` // sequences of the first and the last checkpoint,
	Last        uint64 `json:"last"`  // or of the records that a head is about
}

// Unsigned is a run of records without a signature.
type Unsigned struct {
	From   uint64 `json:"from"`
	To     uint64 `json:"to"`
	Reason string `json:"reason"`
}

// signed is what a walk knows of signatures.
type signed struct {
	keys    map[string]PublicKey
	current string          // the key that signed last
	gone    map[string]bool // keys after which another one signed
	demand  bool            // all has to be signed
	trail   string          // the id that the segments name
	next    []PublicKey     // told of, and not signed for yet
	why     string          // a checkpoint since the last signature said that it is not signed
	covered uint64          // what was covered by the last signature, or is before the walk
	head    *head
	self    uint64 // sequence of the last checkpoint that was verified
	lastAt  int64  // time of the last frame
}

// ParseKeys reads public keys: a list as the gateway publishes it, PEM, or
// base64 of the 32 bytes of each, one a line.
func ParseKeys(text []byte) ([]PublicKey, error) {
	var list []PublicKey
	var published struct {
		Keys []PublicKey `json:"keys"`
	}
	text = bytes.TrimSpace(text)
	switch {
	case bytes.HasPrefix(text, []byte("[")):
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, fmt.Errorf("reading the public keys: %w", err)
		}
	case bytes.HasPrefix(text, []byte("{")):
		if err := json.Unmarshal(text, &published); err != nil {
			return nil, fmt.Errorf("reading the public keys: %w", err)
		}
		list = published.Keys
	case bytes.HasPrefix(text, []byte("-----BEGIN")):
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
			key, ok := parsed.(ed25519.PublicKey)
			if err != nil || !ok {
				return nil, errors.New("reading the public keys: a PEM block is no public key for Ed25519")
			}
			list = append(list, PublicKey{Key: key})
		}
	default:
		for _, line := range strings.Fields(string(text)) {
			key, err := base64.StdEncoding.DecodeString(line)
			if err != nil {
				return nil, errors.New("reading the public keys: want JSON as sluice audit keys -o json prints it, PEM, or base64 of the 32 bytes")
			}
			list = append(list, PublicKey{Key: key})
		}
	}
	for i := range list {
		if len(list[i].Key) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("reading the public keys: key %d has %d bytes, not 32", i+1, len(list[i].Key))
		}
		list[i].ID = KeyID(list[i].Key)
	}
	if len(list) == 0 {
		return nil, errors.New("reading the public keys: there is none")
	}
	return list, nil
}

func (g *signed) trust(keys []PublicKey) {
	if g.keys == nil {
		g.keys, g.gone = map[string]PublicKey{}, map[string]bool{}
	}
	for _, k := range keys {
		if len(k.Key) == ed25519.PublicKeySize {
			g.keys[KeyID(k.Key)] = k
		}
	}
}

// checkpoint verifies a checkpoint. What is wrong is a *Problem.
func (v *walk) checkpoint(s *scanner, h *header, e *Event) error {
	g, m := &v.signed, e.Metadata
	prev := hex.EncodeToString(h.prev[:])
	if m[metaSequence] != strconv.FormatUint(h.seq-1, 10) || m[metaHash] != prev || e.TargetName != g.trail {
		return v.problem(s, "the checkpoint is about another record than the one before it: a record since %d was changed", g.covered+1)
	}
	if m[metaSignature] == "" {
		g.why = m[metaUnsigned]
		if g.why == "" {
			g.why = "the checkpoint has no signature"
		}
		return nil
	}
	if len(g.keys) == 0 {
		g.why = "there is no key to verify with"
		return nil
	}
	key, known := g.keys[m[metaKeyID]]
	if !known {
		return v.problem(s, "the checkpoint is signed with the key %q, which is not among those to verify with", m[metaKeyID])
	}
	if why := g.replaced(m[metaKeyID], e.Time); why != "" {
		return v.problem(s, "the checkpoint is signed with the key %q, %s", m[metaKeyID], why)
	}
	if !verifySignature(key.Key, m[metaSignature], signedText(checkpointLabel, g.trail, h.seq-1, prev, e.Time, m[metaKeyID])) {
		return v.problem(s, "the signature of the checkpoint is not that of the key %s: it, or a record since %d, was changed",
			m[metaKeyID], g.covered+1)
	}
	v.report.Signatures.Checkpoints++
	v.covers(m[metaKeyID], h.seq-1, true)
	g.self = h.seq
	g.trust(g.next)
	g.next = nil
	return nil
}

// replaced says why a key may not have signed at a time, where signatures are
// asked for: whoever has got hold of a key must not be able to go on with it once
// it was rotated.
func (g *signed) replaced(id string, at time.Time) string {
	switch {
	case !g.demand:
	case g.gone[id]:
		return "after which another key had signed already"
	case g.keys[id].goneAt(at):
		return "which was retired before that"
	}
	return ""
}

// covers notes a verified signature over all up to seq.
func (v *walk) covers(keyID string, seq uint64, checkpoint bool) {
	g, r := &v.signed, &v.report.Signatures
	if g.why != "" && seq > g.covered {
		r.Unsigned = append(r.Unsigned, Unsigned{g.covered + 1, seq, g.why})
	}
	g.why = ""
	if g.current != "" && g.current != keyID {
		g.gone[g.current] = true
	}
	g.current = keyID
	g.covered = max(g.covered, seq)
	r.Until = max(r.Until, seq)
	i := slices.IndexFunc(r.Keys, func(k KeyUse) bool { return k.ID == keyID })
	if i < 0 {
		r.Keys = append(r.Keys, KeyUse{ID: keyID, First: seq})
		i = len(r.Keys) - 1
	}
	r.Keys[i].Last = seq
	if checkpoint {
		r.Keys[i].Checkpoints++
	}
}

// rotated notes a key that the trail names as the next. It is trusted when the
// key before has signed that.
func (v *walk) rotated(e *Event) {
	key, err := base64.StdEncoding.DecodeString(e.Metadata[metaPublic])
	if err == nil {
		v.signed.next = append(v.signed.next, PublicKey{Key: key})
	}
}

// signedHead verifies the head at the end of a walk that came to it.
func (v *walk) signedHead() *Problem {
	g, h := &v.signed, v.signed.head
	if v.manifest != nil {
		return v.signedExcerpt()
	}
	switch {
	case h == nil || h.Signature == "":
		if g.demand && v.memory == nil {
			return &Problem{headName, 0, g.covered + 1, "the head of the trail is not signed: nothing shows that this is where the trail ends"}
		}
		return nil
	case len(g.keys) == 0:
		return nil
	}
	key, known := g.keys[h.KeyID]
	if !known {
		return &Problem{headName, 0, h.Sequence, fmt.Sprintf("the head is signed with the key %q, which is not among those to verify with", h.KeyID)}
	}
	if h.Time == nil || h.Trail != g.trail ||
		!verifySignature(key.Key, h.Signature, h.text(h.label())) {
		return &Problem{headName, 0, h.Sequence, "the signature of the head is not that of the key " + h.KeyID}
	}
	if why := g.replaced(h.KeyID, *h.Time); why != "" {
		return &Problem{headName, 0, h.Sequence, fmt.Sprintf("the head is signed with the key %q, %s", h.KeyID, why)}
	}
	v.covers(h.KeyID, h.Sequence, false)
	if g.demand && v.at.seq > h.Sequence && time.Unix(0, g.lastAt).Sub(*h.Time) > afterHead {
		return &Problem{v.at.day.logName(), v.at.last, v.at.seq,
			fmt.Sprintf("records go on for longer than %s behind the last signature, which covers those up to %d", afterHead, h.Sequence)}
	}
	return nil
}

// signedEnd notes what no signature covers at the end of a walk.
func (v *walk) signedEnd() {
	g, r := &v.signed, &v.report.Signatures
	// A checkpoint does not cover itself.
	if v.at.seq <= g.covered || v.at.seq == g.self {
		return
	}
	why := g.why
	switch {
	case why != "":
	case r.Until == 0 && len(g.keys) == 0:
		why = "the trail was not signed, or there is no key to verify with"
	case r.Until == 0:
		why = "no checkpoint is signed"
	default:
		why = "they were written since the last signature"
	}
	r.Unsigned = append(r.Unsigned, Unsigned{g.covered + 1, v.at.seq, why})
}
