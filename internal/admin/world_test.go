package admin_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"sluice/extproc/provider"
	"sluice/internal/admin"
	"sluice/internal/admin/api"
	"sluice/internal/audit"
	"sluice/internal/catalog"
	"sluice/internal/decision"
	"sluice/internal/identity"
	"sluice/internal/keeper"
	"sluice/internal/scim"
	"sluice/internal/session"
	"sluice/internal/state"
	"sluice/internal/trailkeys"
	"sluice/internal/usage"
	"sluice/internal/vault"
	"sluice/policies"
)

// canary is the key that must come out nowhere.
const canary = "sk-canary-3f9a1c77d2"

// world is a control server on real stores, with one caller of each kind:
// root (administrator), eve (auditor), alice and bob (neither; bob is in the
// organization science).
type world struct {
	t       testing.TB
	dir     string
	handler http.Handler
	// described holds every reply against the description.
	described *described
	identity  *identity.Store
	sessions  *session.Manager
	scim      *scim.Store
	catalog   *catalog.Store
	trail     *brittleTrail
	usage     *usage.Usage
	policy    countingPolicy
	asked     atomic.Int64      // questions to the policy about single endpoints
	tokens    map[string]string // by user name
	users     map[string]string // user name → id
	science   string            // id of the organization
	logs      *lockedBuffer
	log       *zap.Logger
	db        *sql.DB
	keys      vault.Vault
	trailKeys *trailkeys.Keys
	keeper    *keeper.Keeper
	replies   bytes.Buffer // every reply, heads and bodies

	mu         sync.Mutex // guards the following fields
	activated  []string
	refuseHost string
	activate   error
	probed     []provider.Target
	probe      api.TargetTestResult
	components []admin.Component
	exchanges  int
}

// brittleTrail is a trail that can be made to refuse.
type brittleTrail struct {
	*audit.Trail
	broken atomic.Bool
	// verifying holds a verification up until it is closed; nil: nothing does.
	verifying chan struct{}
}

func (t *brittleTrail) VerifyWith(ctx context.Context, o audit.VerifyOptions) (audit.Report, error) {
	if t.verifying != nil {
		select {
		case <-t.verifying:
		case <-ctx.Done():
			return audit.Report{}, ctx.Err()
		}
	}
	return t.Trail.VerifyWith(ctx, o)
}

var errDisk = errors.New("no space left on device")

func (t *brittleTrail) Event(e *audit.Event) error {
	if t.broken.Load() {
		return errDisk
	}
	return t.Trail.Event(e)
}

func (t *brittleTrail) AddHold(h audit.Hold, e *audit.Event) error {
	if t.broken.Load() {
		return errDisk
	}
	return t.Trail.AddHold(h, e)
}

func (t *brittleTrail) RemoveHold(name string, e *audit.Event) error {
	if t.broken.Load() {
		return errDisk
	}
	return t.Trail.RemoveHold(name, e)
}

func (t *brittleTrail) SetHolds(list []audit.Hold, e *audit.Event) error {
	if t.broken.Load() {
		return errDisk
	}
	return t.Trail.SetHolds(list, e)
}

func (t *brittleTrail) Refuse(x *audit.Exchange, body []byte, o *audit.Outcome) error {
	if t.broken.Load() {
		return errDisk
	}
	return t.Trail.Refuse(x, body, o)
}

func (t *brittleTrail) Healthy() error {
	if t.broken.Load() {
		return errDisk
	}
	return t.Trail.Healthy()
}

type lockedBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) Sync() error { return nil }

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func newLog(to zapcore.WriteSyncer) *zap.Logger {
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), to, zap.DebugLevel))
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), tokens: map[string]string{}, users: map[string]string{}, logs: &lockedBuffer{}}
	log := newLog(w.logs)
	w.openStores(log)
	w.people()
	w.log = log
	w.serve(func(*admin.Deps) {})
	return w
}

// serve makes the handler anew, with what change changes.
func (w *world) serve(change func(*admin.Deps)) {
	d := admin.Deps{
		Identity: w.identity, Catalog: w.catalog, Policy: &w.policy, Trail: w.trail, Usage: w.usage,
		Activate: w.onActivate, CheckHost: w.onCheckHost, Components: w.onComponents,
		Vault: w.keeper, TrailKeys: w.trailKeys, Probe: w.onProbe,
		Sessions: w.sessions, SCIM: w.scim, Version: "1.2.3", Now: time.Now, NewID: w.exchangeID, Log: w.log,
	}
	change(&d)
	w.handler = admin.New(d)
	if w.described == nil {
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, httptest.NewRequest("GET", "/api/openapi.json", nil))
		w.described = newDescribed(w.t, rec.Body.Bytes())
	}
}

// breakKey makes the stored keys of a target unreadable, and loads the
// endpoints anew.
func (w *world) breakKey(endpoint, target string) {
	w.t.Helper()
	e, _ := w.catalog.Snapshot().Get(endpoint)
	t, _ := e.Target(target)
	_, err := w.db.Exec("UPDATE target_secrets SET sealed = x'00' WHERE target_id = ?", t.ID)
	require.NoError(w.t, err)
	w.catalog, err = catalog.NewStore(w.db, w.keys, ticking(), catalog.NewID)
	require.NoError(w.t, err)
	w.serve(func(*admin.Deps) {})
}

func (w *world) openStores(log *zap.Logger) {
	db, err := state.Open(filepath.Join(w.dir, "sluice.db"))
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = db.Close() })
	keys, err := vault.OpenLocal(filepath.Join(w.dir, "vault.keyset"))
	require.NoError(w.t, err)
	w.db, w.keys = db, keys
	w.identity, err = identity.NewStore(db, time.Now, catalog.NewID)
	require.NoError(w.t, err)
	w.sessions, err = session.New(session.Options{
		DB: db, Callers: w.identity, Now: ticking(), NewID: catalog.NewID, Log: log,
		Limits: session.Limits{Idle: time.Hour, Absolute: 12 * time.Hour, PerUser: 10},
	})
	require.NoError(w.t, err)
	w.scim, err = scim.NewStore(db, ticking())
	require.NoError(w.t, err)
	w.identity.OnRemove(w.scim.Forget)
	w.catalog, err = catalog.NewStore(db, keys, ticking(), catalog.NewID)
	require.NoError(w.t, err)
	w.identity.OnRemove(w.catalog.Forget)
	w.keeper = keeper.New(keeper.Options{
		Catalog: w.catalog, Vaults: vault.NewSet(keys), Now: time.Now, Log: log,
		Record: func(e *audit.Event) error { return w.trail.Event(e) },
	}, time.Hour)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = w.keeper.Run(ctx) }()
	w.t.Cleanup(func() { cancel(); <-ended })
	trail, err := audit.Open(audit.Options{Dir: filepath.Join(w.dir, "audit"), Now: time.Now, Log: log})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = trail.Close() })
	w.trail = &brittleTrail{Trail: trail}
	w.trailKeys, err = trailkeys.Open(ctx, trailkeys.Options{DB: db, Vault: vault.NewSet(keys), Now: time.Now, Log: log})
	require.NoError(w.t, err)
	require.NoError(w.t, trail.SetSigner(w.trailKeys))
	w.usage, err = usage.Open(usage.Options{Path: filepath.Join(w.dir, "usage.db"), Trail: trail, Now: time.Now, Log: log})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = w.usage.Close() })
	w.policy.Engine, err = policies.New(policies.Options{Sources: []policies.Source{{Name: "default"}}, Log: log, Now: time.Now, Timeout: time.Minute})
	require.NoError(w.t, err)
	w.policy.asked = &w.asked
}

// countingPolicy counts the questions about single endpoints.
type countingPolicy struct {
	*policies.Engine
	asked *atomic.Int64
}

func (p countingPolicy) Decide(ctx context.Context, in *policies.Input) (decision.Decision, error) {
	if in.Action == policies.ActionView {
		p.asked.Add(1)
	}
	return p.Engine.Decide(ctx, in)
}

func (p countingPolicy) DecideEach(ctx context.Context, in *policies.Input, list []*catalog.Endpoint) ([]decision.Decision, error) {
	if in.Action == policies.ActionView {
		p.asked.Add(int64(len(list)))
	}
	return p.Engine.DecideEach(ctx, in, list)
}

func (w *world) people() {
	ctx := context.Background()
	for name, roles := range map[string][]string{
		"root": {identity.RoleAdministrator}, "eve": {identity.RoleAuditor}, "alice": nil, "bob": nil,
	} {
		u, err := w.identity.CreateUser(ctx, identity.User{Name: name, Roles: roles})
		require.NoError(w.t, err)
		w.users[name] = u.ID
		w.tokens[name] = w.issue(identity.Token{Name: "test", UserID: u.ID})
	}
	o, err := w.identity.CreateOrganization(ctx, identity.Organization{Name: "science", Members: identity.Members(w.users["bob"])})
	require.NoError(w.t, err)
	w.science = o.ID
}

func (w *world) issue(t identity.Token) string {
	plaintext, _, err := w.identity.IssueToken(context.Background(), t)
	require.NoError(w.t, err)
	return plaintext
}

func (w *world) onActivate(_ context.Context, e *catalog.Endpoint) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.activated = append(w.activated, e.Name)
	return w.activate
}

func (w *world) onProbe(_ context.Context, t provider.Target, _ string) api.TargetTestResult {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.probed = append(w.probed, t)
	return w.probe
}

func (w *world) onCheckHost(_ context.Context, host string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if host == "unknown.example" {
		return fmt.Errorf("resolving %s: %w", host, &net.DNSError{Err: "no such host", Name: host, Server: "10.0.0.53:53"})
	}
	if host == w.refuseHost && host != "" {
		return errors.New("its address is private")
	}
	return nil
}

func (w *world) onComponents() []admin.Component {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.components
}

func (w *world) exchangeID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.exchanges++
	return fmt.Sprintf("exchange-%d", w.exchanges)
}

// reply is what a request got.
type reply struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

// as sends a request with the token of a user, "" for none.
func (w *world) as(user, method, path, body string, headers ...string) *reply {
	w.t.Helper()
	req := httptest.NewRequest(method, "http://gateway.test"+path, strings.NewReader(body))
	if user != "" {
		require.NotEmpty(w.t, w.tokens[user], user)
		req.Header.Set("Authorization", "Bearer "+w.tokens[user])
	}
	req.Header.Set("X-Forwarded-For", "6.6.6.6, 192.0.2.7")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return w.send(req)
}

func (w *world) send(req *http.Request) *reply {
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, req)
	out := &reply{t: w.t, status: rec.Code, header: rec.Header(), body: rec.Body.String()}
	w.described.check(req.Pattern, req.Method, rec.Code, rec.Header(), rec.Body.Bytes())
	checkDomino(w.t, req.Pattern, rec.Code, rec.Body.Bytes())
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintln(&w.replies, out.status, out.header, out.body)
	return out
}

// must checks the status and returns the reply.
func (r *reply) must(status int) *reply {
	r.t.Helper()
	require.Equal(r.t, status, r.status, r.body)
	return r
}

// json reads the body into a map.
func (r *reply) json() map[string]any {
	r.t.Helper()
	var out map[string]any
	require.NoError(r.t, json.Unmarshal([]byte(r.body), &out), r.body)
	return out
}

// at digs a value out of the body: keys, or indexes as numbers.
func (r *reply) at(path ...any) any {
	r.t.Helper()
	var v any
	require.NoError(r.t, json.Unmarshal([]byte(r.body), &v), r.body)
	for _, step := range path {
		switch s := step.(type) {
		case string:
			v = v.(map[string]any)[s]
		case int:
			v = v.([]any)[s]
		}
	}
	return v
}

// newEndpoint is a body that creates an endpoint at openai; more is laid over.
func newEndpoint(name string, more map[string]any) string {
	body := map[string]any{
		"endpointName": name, "endpointType": "llm/v1/chat", "modelProvider": "openai", "modelName": "gpt-4",
		"modelConfig":         map[string]string{"openai_api_key": canary},
		"endpointPermissions": map[string]any{"isEveryoneAllowed": false, "userIds": []string{}},
	}
	for k, v := range more {
		if v == nil {
			delete(body, k)
			continue
		}
		body[k] = v
	}
	return text(body)
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// create makes an endpoint as root.
func (w *world) create(name string, permissions map[string]any) {
	w.t.Helper()
	if permissions == nil {
		permissions = map[string]any{"isEveryoneAllowed": false, "userIds": []string{}}
	}
	w.as("root", "POST", "/api/aigateway/v1/endpoints",
		newEndpoint(name, map[string]any{"endpointPermissions": permissions})).must(200)
}

// records are all records of the trail, oldest first.
func (w *world) records() []*audit.Record {
	w.t.Helper()
	var out []*audit.Record
	require.NoError(w.t, w.trail.Query(context.Background(), audit.Filter{}, func(r *audit.Record) error {
		out = append(out, r)
		return nil
	}))
	return out
}

// lastEvent is the newest event of a kind.
func (w *world) lastEvent(kind string) *audit.Event {
	w.t.Helper()
	var last *audit.Event
	for _, r := range w.records() {
		if r.Event != nil && r.Event.Kind == kind {
			last = r.Event
		}
	}
	require.NotNil(w.t, last, "no event of kind %s", kind)
	return last
}

func changesOf(e *audit.Event) map[string]string {
	out := map[string]string{}
	for _, c := range e.Changes {
		out[c.Field] = c.Before + " → " + c.After
	}
	return out
}

// ticking is a clock of which no two readings fall into one millisecond, so
// that what is made one after the other is listed so.
func ticking() func() time.Time {
	var mu sync.Mutex
	var last time.Time
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now().Truncate(time.Millisecond); now.After(last) {
			last = now
		} else {
			last = last.Add(time.Millisecond)
		}
		return last
	}
}

// into reads the body into a value.
func (r *reply) into(v any) {
	r.t.Helper()
	require.NoError(r.t, json.Unmarshal([]byte(r.body), v), r.body)
}
