package signin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// flowTime is how long the way to the provider and back may take: a person
	// types a password there, and perhaps a second factor.
	flowTime = 10 * time.Minute
	// cookieFlow begins the names of the cookies that hold a flow; the start of
	// its state follows, so that two tabs don't disturb each other.
	cookieFlow = "__Host-sluice-flow-"
	flowMark   = 12 // characters of the state in the name
	// maxFlows are the flows that a browser may have begun at a time. With one
	// more it gives up the others.
	maxFlows = 5
	// maxUsed bounds the states that are remembered as used.
	maxUsed = 100_000
)

// flow is what is kept of a sign-in while the browser is at the provider. It is
// kept in the browser's own cookie, sealed, so that beginning many flows fills
// no memory here. A restart of the gateway makes flows void.
type flow struct {
	State       string    `json:"s"`
	Browser     string    `json:"b"` // derived from the browser's cookie
	Nonce       string    `json:"n"`
	Verifier    string    `json:"v"`
	RedirectURI string    `json:"u"`
	Return      string    `json:"r"`
	Until       time.Time `json:"t"`
}

type flows struct {
	seal cipher.AEAD
	now  func() time.Time

	mu   sync.Mutex           // guards used
	used map[string]time.Time // states that were used → when they would end
}

func newFlows(now func() time.Time) *flows {
	var key [32]byte
	rand.Read(key[:]) //nolint:errcheck // never fails: it ends the program instead
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the length of the key is right
	}
	seal, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has the block size that GCM wants
	}
	return &flows{seal: seal, now: now, used: map[string]time.Time{}}
}

// begin keeps a flow in a cookie and returns its state.
func (fs *flows) begin(browser string, w http.ResponseWriter, r *http.Request, f flow) (state string) {
	var old []string
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, cookieFlow) {
			old = append(old, c.Name)
		}
	}
	if len(old) >= maxFlows {
		for _, name := range old {
			setCookie(w, name, "", -1)
		}
	}
	f.State, f.Browser, f.Until = randomText(), derive(browser, "flow"), fs.now().Add(flowTime)
	plain, err := json.Marshal(f)
	if err != nil {
		panic(err) // texts and a time
	}
	name := cookieFlow + f.State[:flowMark]
	sealed := fs.seal.Seal(nil, nil, plain, []byte(name))
	setCookie(w, name, base64.RawURLEncoding.EncodeToString(sealed), int(flowTime/time.Second))
	return f.State
}

// finish returns the flow of a state, once, to the browser that began it.
func (fs *flows) finish(browser, state string, w http.ResponseWriter, r *http.Request) (f flow, ok bool) {
	if len(state) != len(randomText()) || browser == "" {
		return flow{}, false
	}
	name := cookieFlow + state[:flowMark]
	c, err := r.Cookie(name)
	if err != nil {
		return flow{}, false
	}
	setCookie(w, name, "", -1)
	sealed, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return flow{}, false
	}
	plain, err := fs.seal.Open(nil, nil, sealed, []byte(name))
	if err != nil || json.Unmarshal(plain, &f) != nil {
		return flow{}, false
	}
	if f.State != state || f.Browser != derive(browser, "flow") || !fs.now().Before(f.Until) {
		return flow{}, false
	}
	return f, fs.use(f)
}

// use reports whether a flow was not used before.
func (fs *flows) use(f flow) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if _, before := fs.used[f.State]; before {
		return false
	}
	now := fs.now()
	for state, until := range fs.used {
		if !now.Before(until) {
			delete(fs.used, state)
		}
	}
	if len(fs.used) >= maxUsed {
		return false
	}
	fs.used[f.State] = f.Until
	return true
}
