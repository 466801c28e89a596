package audit

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"go.uber.org/zap"
)

const (
	// KindCheckpoint: the trail signs how far it has come. Lists leave this kind
	// out unless they are asked for it.
	KindCheckpoint = "TrailCheckpoint"
	// KindKeyRotated: checkpoints are signed by another key from now on. The key
	// before signs the checkpoint that follows, so that who trusts it may trust
	// the one that the event names.
	KindKeyRotated = "RotateTrailKey"
)

// What the metadata of these events hold, besides metaHash.
const (
	metaSequence  = "sequence"
	metaKeyID     = "keyId"
	metaSignature = "signature"
	metaUnsigned  = "unsigned" // in place of the two before: why
	metaPublic    = "publicKey"
)

// signEvery is how long records wait for a checkpoint at most.
const signEvery = time.Minute

// keysName is the file of public keys in the folder of the trail.
const keysName = "keys.json"

// PublicKey verifies checkpoints.
type PublicKey struct {
	ID      string     `json:"id"`  // the first 16 hexadecimal digits of the key's SHA-256
	Key     []byte     `json:"key"` // Ed25519, 32 bytes
	Created time.Time  `json:"created,omitzero"`
	Retired *time.Time `json:"retired,omitempty"` // nil: it signs
}

// goneAt reports whether the key was retired before a time, and signs no more.
func (k PublicKey) goneAt(at time.Time) bool {
	return k.Retired != nil && at.Sub(*k.Retired) > afterHead
}

// KeyID is the id of a public key.
func KeyID(public []byte) string {
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:8])
}

// Signer has the key that signs checkpoints. Its methods may be called from any
// goroutine.
type Signer interface {
	// Key returns the key, of type ed25519.PrivateKey or one that signs as it
	// does, and its id. After an error checkpoints say why they are not signed.
	Key() (id string, key crypto.Signer, err error)
	// Public returns the public keys of all that was ever signed.
	Public() []PublicKey
}

// SetSigner gives the trail what it signs checkpoints and its head with. Until
// then there are no checkpoints. It is called again when the keys have changed.
func (t *Trail) SetSigner(s Signer) error {
	t.signer.Store(&s)
	data, err := json.MarshalIndent(s.Public(), "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the public keys of the trail: %w", err)
	}
	path := filepath.Join(t.dir, keysName)
	if kept, err := os.ReadFile(path); err != nil || string(kept) != string(data)+"\n" {
		if err := writeWhole(path, append(data, '\n')); err != nil {
			return fmt.Errorf("writing the public keys of the trail: %w", err)
		}
	}
	t.judgeHolds(s.Public())
	if err := t.resignHolds(s); err != nil {
		t.log.Warn("signing the holds of the trail with its new key", zap.Error(err)) // SetSigner tries it again
	}
	return t.writeHead(t.writer.position(), false)
}

// ReadKeys reads the public keys that the trail in dir was last signed with.
// There are none where it was never signed.
func ReadKeys(dir string) ([]PublicKey, error) {
	data, err := os.ReadFile(filepath.Join(dir, keysName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var keys []PublicKey
	if err == nil {
		err = json.Unmarshal(data, &keys)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the public keys of the trail: %w", err)
	}
	return keys, nil
}

// SigningKey is the key that checkpoints are signed with, and its id. The error
// says that there is none at hand.
func (t *Trail) SigningKey() (id string, key crypto.Signer, err error) {
	signer := t.signer.Load()
	if signer == nil {
		return "", nil, errors.New("the trail has no key to sign with")
	}
	return (*signer).Key()
}

// PublicKeys are those of all that was ever signed.
func (t *Trail) PublicKeys() []PublicKey {
	if signer := t.signer.Load(); signer != nil {
		return (*signer).Public()
	}
	return nil
}

// Checkpoint signs what was written so far, unless that was done. The errors
// are those of Event.
func (t *Trail) Checkpoint() error {
	return t.writer.exclusive(func() error { return t.sign(t.now()) })
}

// sign appends a checkpoint if anything was written since the last. Only who
// leads the writer calls it.
func (t *Trail) sign(now time.Time) error {
	w := t.writer
	signer := t.signer.Load()
	if signer == nil || w.since.Load() == 0 || w.file == nil {
		return nil
	}
	event := &Event{Time: now.UTC(), Kind: KindCheckpoint, TargetType: "trail", TargetName: t.id, Node: t.encoder.node}
	event.Metadata = map[string]string{metaSequence: strconv.FormatUint(w.next.seq, 10), metaHash: hex.EncodeToString(w.next.hash[:])}
	id, signature, err := signWith(*signer, func(keyID string) []byte {
		return signedText(checkpointLabel, t.id, w.next.seq, hex.EncodeToString(w.next.hash[:]), event.Time, keyID)
	})
	if err != nil {
		event.Metadata[metaUnsigned] = err.Error()
	} else {
		event.Metadata[metaKeyID], event.Metadata[metaSignature] = id, signature
	}
	meta, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encoding a checkpoint: %w", err)
	}
	e := t.entry(frameEvent)
	defer t.release(e)
	e.frame = append(e.frame, meta...)
	e.row = eventRow(event, event.Time)
	e.frame = t.compressor.appendFrames(e.frame, frameEvent, nil, 0, event.Time.UnixNano())
	if err := w.usable(); err != nil {
		return w.failed(err)
	}
	if err := w.ensure(w.next.off + int64(len(e.frame)) + w.reserved); err != nil {
		return w.failed(err)
	}
	w.place(e)
	w.flush()
	if e.err == nil {
		w.since.Store(0)
	}
	return e.err
}

const (
	checkpointLabel = "sluice audit checkpoint 1"
	headLabel       = "sluice audit head 1"
	closedLabel     = "sluice audit closed head 1" // of a trail that was closed: nothing may follow
)

// signedText is what a signature is over.
func signedText(label, trail string, seq uint64, hash string, at time.Time, keyID string) []byte {
	return fmt.Appendf(nil, "%s\n%s\n%d\n%s\n%s\n%s\n", label, trail, seq, hash, at.UTC().Format(time.RFC3339Nano), keyID)
}

func signWith(s Signer, text func(keyID string) []byte) (id, signature string, err error) {
	id, key, err := s.Key()
	if err != nil {
		return "", "", err
	}
	sum, err := key.Sign(nil, text(id), crypto.Hash(0))
	if err != nil {
		return "", "", fmt.Errorf("signing a checkpoint: %w", err)
	}
	return id, base64.StdEncoding.EncodeToString(sum), nil
}

// verifySignature reports whether key signed text.
func verifySignature(key []byte, signature string, text []byte) bool {
	sum, err := base64.StdEncoding.DecodeString(signature)
	return err == nil && len(key) == ed25519.PublicKeySize && ed25519.Verify(key, text, sum)
}

// writeHead keeps the end of the trail, signed if there is a key. Where there is
// none any more, the last signed one goes along: what it says of holds counts.
func (t *Trail) writeHead(p position, clean bool) error {
	t.heading.Lock()
	defer t.heading.Unlock()
	h := t.signedHead(p, clean, t.holds.heading())
	if h.Signature != "" {
		t.lastSigned.Store(&h)
	} else {
		h.Last = t.lastSigned.Load()
	}
	return writeHead(t.dir, h)
}

// signedHead is the head at a place, signed where there is a key. holding is
// what it says of holds.
func (t *Trail) signedHead(p position, clean bool, holding string) head {
	h := p.head(t.id, clean)
	h.Holding = holding
	signer := t.signer.Load()
	if signer == nil {
		return h
	}
	at := t.now().UTC()
	signed := h
	signed.Time = &at
	_, signature, err := signWith(*signer, func(keyID string) []byte {
		signed.KeyID = keyID
		return signed.text(signed.label())
	})
	if err != nil {
		return h
	}
	signed.Signature = signature
	return signed
}
