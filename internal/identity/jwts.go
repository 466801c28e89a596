package identity

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"
)

// maxVerified bounds the tokens that are remembered, in each of two
// generations, of which the older is dropped when the younger is full.
const maxVerified = 10_000

// verified is a provider's token that was found good.
type verified struct {
	from       derivation
	expires    time.Time
	generation uint64 // of the provider's keys
}

// jwts remembers tokens by their hash. Reading takes no lock.
type jwts struct {
	kept atomic.Pointer[keptJWTs]
	mu   sync.Mutex // held while generations change
}

type keptJWTs struct {
	recent, older *sync.Map // [32]byte → verified
	count         atomic.Int64
}

func (j *jwts) get(token string) (verified, bool) {
	kept := j.kept.Load()
	if kept == nil {
		return verified{}, false
	}
	hash := sha256.Sum256([]byte(token))
	found, known := kept.recent.Load(hash)
	if !known {
		found, known = kept.older.Load(hash)
	}
	if !known {
		return verified{}, false
	}
	return found.(verified), true
}

func (j *jwts) put(token string, v verified) {
	kept := j.kept.Load()
	if kept == nil || kept.count.Load() >= maxVerified {
		kept = j.turn(kept)
	}
	kept.recent.Store(sha256.Sum256([]byte(token)), v)
	kept.count.Add(1)
}

// turn begins a generation, unless another goroutine has.
func (j *jwts) turn(full *keptJWTs) *keptJWTs {
	j.mu.Lock()
	defer j.mu.Unlock()
	if now := j.kept.Load(); now != full {
		return now
	}
	next := &keptJWTs{recent: &sync.Map{}, older: &sync.Map{}}
	if full != nil {
		next.older = full.recent
	}
	j.kept.Store(next)
	return next
}
