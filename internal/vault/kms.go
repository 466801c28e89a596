package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
)

var _ Vault = (*KMS)(nil)

// dataKeyAge is how long one data key seals new values: few keys, so that a
// start needs few calls, and none that lives for ever.
const dataKeyAge = 7 * 24 * time.Hour

// kmsContext is the encryption context of every data key: KMS unwraps one only
// for who names it, CloudTrail shows it, and IAM policies can ask for it.
var kmsContext = map[string]string{"application": "sluice", "purpose": "vault"}

// KMS seals with AES-256-GCM under data keys of AWS KMS (envelope encryption):
// each sealed value carries its data key, wrapped by KMS. Data keys that were
// unwrapped stay in memory, so that KMS is asked once for each, and an outage
// is felt only at the first use of one.
type KMS struct {
	remote
	keyID  string
	region string
	client *kms.Client

	mu      sync.Mutex // guards the following fields, and lets one call of KMS be made at a time
	keys    map[string]*dataKey
	sealing *dataKey // nil: none yet
	refused map[string]refusal
}

// refusal is why KMS did not unwrap a data key.
type refusal struct {
	err   error
	until time.Time // zero: for good
}

// dataKey is a data key, unwrapped.
type dataKey struct {
	wrapped []byte
	arn     string // of the KMS key that wrapped it
	made    time.Time
	aead    *subtle.AESGCM
}

// OpenKMS opens a vault under the KMS key with the id, ARN or alias. It makes
// no call of AWS yet.
func OpenKMS(ctx context.Context, keyID string, a AWS) (*KMS, error) {
	cfg, err := a.config(ctx)
	if err != nil {
		return nil, fmt.Errorf("opening the vault aws-kms: %w", err)
	}
	return &KMS{
		remote: newRemote("AWS KMS", a.Now), keyID: keyID, region: a.Region, client: kms.NewFromConfig(cfg),
		keys: map[string]*dataKey{}, refused: map[string]refusal{},
	}, nil
}

// Kind is KindKMS.
func (k *KMS) Kind() Kind { return KindKMS }

// A value sealed by KMS is: the mark, a version, when the data key was made
// (Unix seconds, 8 bytes), the ARN of the KMS key and the wrapped data key (2
// bytes of length before each), and what AES-GCM made (nonce, ciphertext, tag).
// All before the last is bound to it, as are owner and name.
const kmsVersion = 1

func (d *dataKey) header() []byte {
	h := []byte{markKMS, kmsVersion}
	h = binary.BigEndian.AppendUint64(h, uint64(d.made.Unix()))
	for _, part := range [][]byte{[]byte(d.arn), d.wrapped} {
		h = binary.BigEndian.AppendUint16(h, uint16(len(part)))
		h = append(h, part...)
	}
	return h
}

// parseKMS takes a sealed value apart; ok is false for what is none.
func parseKMS(sealed []byte) (key *dataKey, header, rest []byte, ok bool) {
	if len(sealed) < 10 || sealed[0] != markKMS || sealed[1] != kmsVersion {
		return nil, nil, nil, false
	}
	key = &dataKey{made: time.Unix(int64(binary.BigEndian.Uint64(sealed[2:])), 0)}
	rest = sealed[10:]
	for _, into := range []func([]byte){func(b []byte) { key.arn = string(b) }, func(b []byte) { key.wrapped = b }} {
		if len(rest) < 2 || len(rest) < 2+int(binary.BigEndian.Uint16(rest)) {
			return nil, nil, nil, false
		}
		n := 2 + int(binary.BigEndian.Uint16(rest))
		into(rest[2:n])
		rest = rest[n:]
	}
	return key, sealed[:len(sealed)-len(rest)], rest, true
}

func bound(header []byte, owner, name string) []byte {
	return append(bytes.Clone(header), place(owner, name)...)
}

// Seal encrypts each value under the present data key, and asks KMS for one
// where there is none or it is old.
func (k *KMS) Seal(ctx context.Context, owner string, values map[string]string) (map[string][]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.ready(ctx, false); err != nil {
		return nil, fmt.Errorf("sealing %s: %w", owner, err)
	}
	header := k.sealing.header()
	out := make(map[string][]byte, len(values))
	for name, value := range values {
		sealed, err := k.sealing.aead.Encrypt([]byte(value), bound(header, owner, name))
		if err != nil {
			return nil, fmt.Errorf("sealing %s: %w", place(owner, name), err)
		}
		out[name] = append(bytes.Clone(header), sealed...)
	}
	return out, nil
}

// ready makes a data key where one is needed. One that is old goes on when KMS
// gives no other. Called with mu held.
func (k *KMS) ready(ctx context.Context, anew bool) error {
	old := k.sealing != nil && k.now().Sub(k.sealing.made) > dataKeyAge
	if k.sealing != nil && !old && !anew {
		return nil
	}
	var out *kms.GenerateDataKeyOutput
	err := k.call(ctx, "GenerateDataKey with "+k.keyID, func(ctx context.Context) (err error) {
		out, err = k.client.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
			KeyId: aws.String(k.keyID), KeySpec: types.DataKeySpecAes256, EncryptionContext: kmsContext,
		})
		return err
	})
	if err != nil && old && !anew {
		return nil
	}
	if err != nil {
		return err
	}
	defer clear(out.Plaintext)
	sealer, err := subtle.NewAESGCM(out.Plaintext)
	if err != nil || len(out.CiphertextBlob) > 1<<14 || len(aws.ToString(out.KeyId)) > 1<<11 {
		return fmt.Errorf("%w: AWS KMS gave a data key that can't be used", ErrUnavailable)
	}
	k.sealing = &dataKey{wrapped: out.CiphertextBlob, arn: aws.ToString(out.KeyId), made: k.now().Truncate(time.Second), aead: sealer}
	k.keys[string(out.CiphertextBlob)] = k.sealing
	return nil
}

// Open decrypts what Seal returned for the same owner and name.
func (k *KMS) Open(ctx context.Context, owner, name string, sealed []byte) (string, error) {
	key, header, rest, ok := parseKMS(sealed)
	if !ok {
		return "", fmt.Errorf("opening %s: it is not a value that aws-kms sealed", place(owner, name))
	}
	opener, err := k.unwrap(ctx, key)
	if err != nil {
		return "", fmt.Errorf("opening %s: %w", place(owner, name), err)
	}
	plaintext, err := opener.Decrypt(rest, bound(header, owner, name))
	if err != nil {
		return "", fmt.Errorf("opening %s: %w", place(owner, name), err)
	}
	return string(plaintext), nil
}

// What KMS says of a wrapped key that it can't unwrap, and never will.
const badCiphertext, otherKey = "InvalidCiphertextException", "IncorrectKeyException"

// unwrap finds a data key in memory, or asks KMS. What KMS refuses for good is
// kept too.
func (k *KMS) unwrap(ctx context.Context, key *dataKey) (*subtle.AESGCM, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	id := string(key.wrapped)
	if known, ok := k.keys[id]; ok {
		return known.aead, nil
	}
	if r, ok := k.refused[id]; ok && (r.until.IsZero() || k.now().Before(r.until)) {
		return nil, r.err
	}
	var out *kms.DecryptOutput
	err := k.call(ctx, "Decrypt with "+key.arn, func(ctx context.Context) (err error) {
		out, err = k.client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: key.wrapped, EncryptionContext: kmsContext})
		return about(err, badCiphertext, otherKey)
	})
	if one := new(answered); errors.As(err, &one) {
		k.refused[id] = refusal{err: fmt.Errorf("AWS KMS can't unwrap its data key (%s)", one.code)}
		return nil, k.refused[id].err
	}
	if err != nil {
		k.refused[id] = refusal{err, k.now().Add(pause)}
		return nil, err
	}
	delete(k.refused, id)
	defer clear(out.Plaintext)
	if key.aead, err = subtle.NewAESGCM(out.Plaintext); err != nil {
		return nil, errors.New("its data key is none for AES-256")
	}
	key.wrapped = bytes.Clone(key.wrapped)
	k.keys[id] = key
	if k.sealing == nil && k.now().Sub(key.made) < dataKeyAge && k.names(key.arn) {
		k.sealing = key // of a process before this one
	}
	return key.aead, nil
}

// names reports whether the vault's key is the one with the ARN, as far as that
// can be told without asking: an alias may lead elsewhere by now.
func (k *KMS) names(arn string) bool {
	return arn == k.keyID || len(k.keyID) == 36 && len(arn) > 36 && arn[len(arn)-37:] == "/"+k.keyID
}

// Holds reports whether the vault's KMS key wrapped the value's data key.
// Prepare must have been called.
func (k *KMS) Holds(_ string, sealed []byte) bool {
	key, _, _, ok := parseKMS(sealed)
	k.mu.Lock()
	defer k.mu.Unlock()
	return ok && (k.names(key.arn) || k.sealing != nil && k.sealing.arn == key.arn)
}

// Fresh reports whether the present data key sealed the value.
func (k *KMS) Fresh(_ string, sealed []byte) bool {
	key, _, _, ok := parseKMS(sealed)
	k.mu.Lock()
	defer k.mu.Unlock()
	return ok && k.sealing != nil && bytes.Equal(k.sealing.wrapped, key.wrapped)
}

// Prepare asks KMS for a data key where there is none, with rotate for a new
// one: wrapped by what the KMS key's material is now.
func (k *KMS) Prepare(ctx context.Context, rotate bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.ready(ctx, rotate); err != nil {
		return fmt.Errorf("preparing the vault aws-kms: %w", err)
	}
	return nil
}

// Retire forgets the data keys that seal nothing any more.
func (k *KMS) Retire(context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = map[string]*dataKey{}
	if k.sealing != nil {
		k.keys[string(k.sealing.wrapped)] = k.sealing
	}
	return nil
}

// Status tells the KMS key, and how calls of KMS went.
func (k *KMS) Status() Status {
	st := Status{Kind: KindKMS, Key: k.keyID, Region: k.region}
	k.fill(&st)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sealing != nil {
		st.Key = k.sealing.arn
	}
	return st
}
