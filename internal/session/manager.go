package session

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"sluice/internal/identity"
)

// Callers says who a session is.
type Callers interface {
	CallerOf(userID string) (*identity.Caller, error)
	CallerOfToken(tokenID, address string) (*identity.Caller, error)
}

// Options configure New. All fields are required.
type Options struct {
	DB      *sql.DB
	Callers Callers
	Limits  Limits
	Now     func() time.Time
	NewID   func() string
	Log     *zap.Logger
}

// Manager keeps sessions. It is safe for concurrent use. Finding a session
// takes no lock and makes no query.
type Manager struct {
	Options
	origin *http.CrossOriginProtection

	live sync.Map // [32]byte → *entry

	// mu is held by a change of the database and of live; it guards undeleted.
	mu        sync.Mutex
	undeleted []string // ids of ended sessions whose rows could not be deleted
}

// entry is a session in memory.
type entry struct {
	Session
	hash  [32]byte
	seen  atomic.Int64 // Unix milliseconds
	saved atomic.Int64 // what the database has of seen
}

func (e *entry) lastSeen() time.Time { return time.UnixMilli(e.seen.Load()).UTC() }

// copy is the entry as others see it.
func (e *entry) copy() Session {
	s := e.Session
	s.LastSeen = e.lastSeen()
	return s
}

// New loads the sessions that go on.
func New(o Options) (*Manager, error) {
	m := &Manager{Options: o, origin: http.NewCrossOriginProtection()}
	if err := m.load(); err != nil {
		return nil, fmt.Errorf("loading sessions: %w", err)
	}
	return m, nil
}

// secretBytes is the length of the cookie's value before its encoding.
const secretBytes = 32

// Start begins a session and sets its cookie. The session of the cookie that
// came with the request ends: an id that was known before a sign-in never
// stands for who has signed in.
func (m *Manager) Start(ctx context.Context, w http.ResponseWriter, r *http.Request, in SignIn) (*Session, error) {
	if old, ok := m.find(r); ok {
		if err := m.end(ctx, old); err != nil {
			return nil, fmt.Errorf("starting session: %w", err)
		}
	}
	var random [secretBytes]byte
	rand.Read(random[:]) //nolint:errcheck // never fails: it ends the program instead
	value := base64.RawURLEncoding.EncodeToString(random[:])
	now := m.now()
	e := &entry{hash: sha256.Sum256([]byte(value)), Session: Session{
		ID: m.NewID(), UserID: in.UserID, TokenID: in.TokenID, Method: in.Method, IDToken: in.IDToken,
		Created: now, Expires: now.Add(m.Limits.Absolute),
		Address: identity.ClientAddress(r.Header.Values), Browser: browser(r.UserAgent()),
	}}
	if until := in.Until.UTC().Truncate(time.Millisecond); !in.Until.IsZero() && until.Before(e.Expires) {
		e.Expires = until
	}
	e.seen.Store(now.UnixMilli())
	e.saved.Store(now.UnixMilli())
	if err := m.add(ctx, e); err != nil {
		return nil, fmt.Errorf("starting session: %w", err)
	}
	setCookie(w, value, 0)
	s := e.copy()
	s.CSRF = csrfOf(value)
	return &s, nil
}

// add keeps a session, and ends those of its user that are too many.
func (m *Manager) add(ctx context.Context, e *entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		var own []*entry
		m.each(func(other *entry) {
			if other.UserID == e.UserID {
				own = append(own, other)
			}
		})
		if len(own) < m.Limits.PerUser {
			break
		}
		oldest := own[0]
		for _, other := range own[1:] {
			if other.seen.Load() < oldest.seen.Load() {
				oldest = other
			}
		}
		if err := m.remove(ctx, oldest); err != nil {
			return err
		}
	}
	if err := m.insert(ctx, e); err != nil {
		return err
	}
	m.live.Store(e.hash, e)
	return nil
}

// Of returns the session of a request, with its caller, and counts the request
// as use of it.
func (m *Manager) Of(r *http.Request) (*Session, error) { return m.of(r, true) }

// Peek returns the session of a request and does not count as use of it.
func (m *Manager) Peek(r *http.Request) (*Session, error) { return m.of(r, false) }

func (m *Manager) of(r *http.Request, use bool) (*Session, error) {
	value := cookieOf(r)
	if value == "" {
		return nil, ErrNone
	}
	e, ok := m.find(r)
	if !ok {
		return nil, ErrUnknown
	}
	now := m.now()
	caller, err := m.caller(e, now, identity.ClientAddress(r.Header.Values))
	if err != nil {
		if !errors.Is(err, ErrElsewhere) {
			if failed := m.end(r.Context(), e); failed != nil {
				m.Log.Error("an ended session is still in the database", zap.Error(failed))
			}
		}
		return nil, err
	}
	if use {
		e.seen.Store(now.UnixMilli())
	}
	s := e.copy()
	s.Caller, s.CSRF = caller, csrfOf(value)
	return &s, nil
}

// caller says who a session is, or why it does not count any more.
func (m *Manager) caller(e *entry, now time.Time, address string) (*identity.Caller, error) {
	switch {
	case !now.Before(e.Expires):
		return nil, ErrExpired
	case now.Sub(e.lastSeen()) >= m.Limits.Idle:
		return nil, ErrIdle
	}
	var caller *identity.Caller
	var err error
	if e.TokenID != "" {
		caller, err = m.Callers.CallerOfToken(e.TokenID, address)
	} else {
		caller, err = m.Callers.CallerOf(e.UserID)
	}
	switch {
	case err == nil:
		return caller, nil
	case identity.Ended(err):
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil, fmt.Errorf("%w: %w", ErrElsewhere, err)
}

// Guard returns the session of a request as Of does. A request with an unsafe
// method must come from a page of this host and carry the session's CSRF, as
// the header X-CSRF-Token or the form field "csrf"; otherwise the error is
// one of those that Forged knows.
func (m *Manager) Guard(r *http.Request) (*Session, error) {
	if err := m.origin.Check(r); err != nil {
		return nil, ErrCrossOrigin
	}
	s, err := m.Of(r)
	if err == nil && !safe(r.Method) {
		err = CheckCSRF(r, s.CSRF)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// CheckCSRF compares what a request carries with want, in constant time. It
// reads a form of the body, within what the server in front lets through.
func CheckCSRF(r *http.Request, want string) error {
	got := r.Header.Get("X-CSRF-Token")
	if got == "" {
		got = r.PostFormValue("csrf")
	}
	if want == "" || !hmac.Equal([]byte(got), []byte(want)) {
		return ErrCSRF
	}
	return nil
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// End ends the session of a request, if it has one, and takes the cookie away.
// It returns what the session was, nil for none.
func (m *Manager) End(w http.ResponseWriter, r *http.Request) (*Session, error) {
	setCookie(w, "", -1)
	e, ok := m.find(r)
	if !ok {
		return nil, nil
	}
	s := e.copy()
	return &s, m.end(r.Context(), e)
}

func (m *Manager) find(r *http.Request) (*entry, bool) {
	value := cookieOf(r)
	if value == "" {
		return nil, false
	}
	found, ok := m.live.Load(sha256.Sum256([]byte(value)))
	if !ok {
		return nil, false
	}
	return found.(*entry), true
}

// cookieOf is the cookie's value; "" for none, and for several that differ,
// of which nobody can tell which is ours.
func cookieOf(r *http.Request) string {
	value := ""
	for _, c := range r.CookiesNamed(CookieName) {
		if value != "" && c.Value != value {
			return ""
		}
		value = c.Value
	}
	return value
}

func setCookie(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: CookieName, Value: value, Path: "/", MaxAge: maxAge, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// csrfOf derives the secret of a session's forms from the cookie, so that it
// needs no keeping: whoever knows it can't tell the cookie.
func csrfOf(value string) string {
	mac := hmac.New(sha256.New, []byte(value))
	mac.Write([]byte("sluice session csrf"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// maxBrowser bounds what is kept of a User-Agent, in bytes.
const maxBrowser = 255

func browser(agent string) string {
	agent = strings.ToValidUTF8(agent, "")
	if len(agent) <= maxBrowser {
		return agent
	}
	cut := maxBrowser
	for !utf8.RuneStart(agent[cut]) {
		cut--
	}
	return agent[:cut]
}

// now is the present moment as the database keeps it.
func (m *Manager) now() time.Time { return m.Now().UTC().Truncate(time.Millisecond) }
