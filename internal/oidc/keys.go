package oidc

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/zap"
)

const (
	// maxDocument bounds what is read of the provider, in bytes.
	maxDocument = 1 << 20
	// maxKeys bounds the keys that are kept.
	maxKeys = 100
	// minRSA is the smallest RSA key that is trusted, in bits.
	minRSA = 2048
	// fetchTimeout bounds one fetch of both documents.
	fetchTimeout = 8 * time.Second
	// reachTimeout bounds how long somebody who wants to sign in waits for a
	// provider that does not answer; reachEvery is how long its answer, or that
	// there was none, is taken for the next, too.
	reachTimeout, reachEvery = 3 * time.Second, time.Second
	// askEvery is how often, at most, keys are asked for because a token names one
	// that is not known.
	askEvery = 5 * time.Second
)

// discovery is what is used of the provider's discovery document.
type discovery struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	UserInfo      string   `json:"userinfo_endpoint"`
	Keys          string   `json:"jwks_uri"`
	EndSession    string   `json:"end_session_endpoint"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
}

// known is what was last fetched. It is immutable.
type known struct {
	discovery discovery
	keys      []jose.JSONWebKey
	raw       kept
}

// kept is the file.
type kept struct {
	Issuer    string          `json:"issuer"`
	Fetched   time.Time       `json:"fetched"`
	Discovery json.RawMessage `json:"discovery"`
	Keys      json.RawMessage `json:"keys"`
}

// restore takes what an earlier run has kept of the same issuer.
func (p *Provider) restore() error {
	if p.File == "" {
		return nil
	}
	raw, err := os.ReadFile(p.File)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var k kept
	if err := json.Unmarshal(raw, &k); err != nil {
		return fmt.Errorf("reading %s: %w", p.File, err)
	}
	if k.Issuer != p.Issuer {
		return nil // of another provider, before the configuration changed
	}
	next, err := p.parse(k)
	if err != nil {
		return fmt.Errorf("reading %s: %w", p.File, err)
	}
	p.known.Store(next)
	p.fetchedAt = k.Fetched
	return nil
}

// fetch asks the provider for both documents and puts them in force.
func (p *Provider) fetch(ctx context.Context) error {
	p.fetching.Lock()
	defer p.fetching.Unlock()
	next, err := p.fetchNew(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		err = fmt.Errorf("fetching the identity provider's keys: %w", err)
		p.failed, p.failedAt = err.Error(), p.Now().UTC()
		return err
	}
	p.failed, p.fetchedAt = "", next.raw.Fetched
	p.replace(next)
	return nil
}

// Reach asks the provider whether it is there, for somebody who is about to be
// sent to it. What it finds holds for a second, so that many who come at once
// make one request.
func (p *Provider) Reach(ctx context.Context) error {
	p.reaching.Lock()
	defer p.reaching.Unlock()
	p.mu.Lock()
	now, failed := p.Now(), p.failed
	good, bad := now.Sub(p.fetchedAt) < reachEvery, now.Sub(p.failedAt) < reachEvery
	p.mu.Unlock()
	switch {
	case failed != "" && bad:
		return errors.New(failed)
	case failed == "" && good:
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reachTimeout) // one leaves, others wait
	defer cancel()
	return p.fetch(ctx)
}

func (p *Provider) fetchNew(ctx context.Context) (next *known, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	k := kept{Issuer: p.Issuer, Fetched: p.Now().UTC()}
	var d discovery
	err = p.get(ctx, strings.TrimSuffix(p.Issuer, "/")+"/.well-known/openid-configuration", "", &k.Discovery)
	if err == nil {
		err = json.Unmarshal(k.Discovery, &d)
	}
	if err == nil {
		err = d.check(p.Issuer)
	}
	if err == nil {
		err = p.get(ctx, d.Keys, "", &k.Keys)
	}
	if err == nil {
		next, err = p.parse(k)
	}
	return next, err
}

// replace puts newer keys in force and keeps them.
func (p *Provider) replace(next *known) {
	old := p.known.Swap(next)
	if old != nil && withdrawn(old.keys, next.keys) {
		p.generation.Add(1)
		p.Log.Info("the identity provider has withdrawn keys", zap.Int("keys", len(next.keys)))
	}
	if err := p.keep(next.raw); err != nil {
		p.Log.Error("the identity provider's keys were not kept; a restart needs the provider", zap.Error(err))
	}
}

// withdrawn reports whether a key is gone.
func withdrawn(old, next []jose.JSONWebKey) bool {
	still := map[string]bool{}
	for i := range next {
		still[printOf(&next[i])] = true
	}
	for i := range old {
		if !still[printOf(&old[i])] {
			return true
		}
	}
	return false
}

func printOf(k *jose.JSONWebKey) string {
	text, err := k.MarshalJSON()
	if err != nil {
		return k.KeyID // it was parsed, so it can be written
	}
	return string(text)
}

// keep writes the file, whole or not at all.
func (p *Provider) keep(k kept) error {
	if p.File == "" {
		return nil
	}
	text, err := json.Marshal(k)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(p.File), ".oidc-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), p.File)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

// get reads a JSON document, with a bearer token where there is one.
func (p *Provider) get(ctx context.Context, address, bearer string, into *json.RawMessage) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := p.Client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %d", address, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	switch {
	case err != nil:
		return fmt.Errorf("reading %s: %w", address, err)
	case len(body) > maxDocument:
		return fmt.Errorf("%s is larger than %d bytes", address, maxDocument)
	case !json.Valid(body):
		return fmt.Errorf("%s is not JSON", address)
	}
	*into = body
	return nil
}

// check holds the document to the issuer, and its addresses to TLS.
func (d *discovery) check(issuer string) error {
	if d.Issuer != issuer {
		return fmt.Errorf("the discovery document is of the issuer %q, not of %q: write the issuer as the provider does", d.Issuer, issuer)
	}
	if d.Keys == "" {
		return errors.New("the discovery document names no jwks_uri")
	}
	for name, address := range map[string]string{
		"jwks_uri": d.Keys, "token_endpoint": d.Token, "userinfo_endpoint": d.UserInfo,
		"authorization_endpoint": d.Authorization, "end_session_endpoint": d.EndSession,
	} {
		if address == "" {
			continue
		}
		if err := CheckURL(address); err != nil {
			return fmt.Errorf("the discovery document's %s: %w", name, err)
		}
	}
	return nil
}

// CheckURL refuses an address that is not https, or http on this machine.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return errors.New("want an https address")
	}
	ip, err := netip.ParseAddr(u.Hostname())
	near := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !near) {
		return errors.New("want an https address; http is taken on a loopback address only")
	}
	return nil
}

// parse reads both documents. Keys that can't be used are left out.
func (p *Provider) parse(k kept) (*known, error) {
	next := &known{raw: k}
	if err := json.Unmarshal(k.Discovery, &next.discovery); err != nil {
		return nil, err
	}
	if err := next.discovery.check(p.Issuer); err != nil {
		return nil, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(k.Keys, &set); err != nil {
		return nil, errors.New("the document of keys is not a set of JSON Web Keys")
	}
	for _, raw := range set.Keys[:min(len(set.Keys), maxKeys)] {
		var key jose.JSONWebKey
		if err := key.UnmarshalJSON(raw); err != nil || !usable(&key) {
			continue
		}
		next.keys = append(next.keys, key)
	}
	if len(next.keys) == 0 {
		return nil, errors.New("the identity provider has no key that signatures can be verified with")
	}
	return next, nil
}

// usable reports whether signatures can be verified with a key: it is public,
// not for encryption, and long enough.
func usable(k *jose.JSONWebKey) bool {
	if !k.Valid() || !k.IsPublic() || k.Use != "" && k.Use != "sig" {
		return false
	}
	r, isRSA := k.Key.(*rsa.PublicKey)
	return !isRSA || r.N.BitLen() >= minRSA
}

// keySet verifies the signature of one token for go-oidc, which does not pass
// on the error itself.
type keySet struct {
	p      *Provider
	failed error
}

// Why a signature does not count.
var (
	errKeyUnknown = errors.New("it is signed with a key that the identity provider does not have")
	errSignature  = errors.New("its signature is wrong")
)

// VerifySignature returns the payload of a token that a key of the provider has
// signed.
func (s *keySet) VerifySignature(ctx context.Context, token string) (payload []byte, err error) {
	defer func() { s.failed = err }()
	jws, err := jose.ParseSignedCompact(token, s.p.algs)
	if err != nil {
		return nil, err
	}
	payload, err = s.p.verifyWith(s.p.known.Load(), jws)
	if errors.Is(err, errKeyUnknown) && s.p.askForKeys(ctx) {
		payload, err = s.p.verifyWith(s.p.known.Load(), jws)
	}
	return payload, err
}

func (p *Provider) verifyWith(k *known, jws *jose.JSONWebSignature) ([]byte, error) {
	if k == nil {
		return nil, errKeyUnknown
	}
	header := jws.Signatures[0].Protected
	err := errKeyUnknown
	for i := range k.keys {
		key := &k.keys[i]
		if header.KeyID != "" && key.KeyID != header.KeyID || key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		payload, failed := jws.Verify(key.Key)
		if failed == nil {
			return payload, nil
		}
		if header.KeyID != "" {
			err = errSignature
		}
	}
	return nil, err
}

// askForKeys fetches keys during a request, at most once every askEvery: who
// comes meanwhile waits for the same answer, who comes after it gets none. It
// reports whether there may be other keys now.
func (p *Provider) askForKeys(ctx context.Context) bool {
	before := p.known.Load()
	p.mu.Lock()
	now := p.Now()
	early := !p.tried.IsZero() && now.Sub(p.tried) < askEvery
	if !early {
		p.tried = now
	}
	p.mu.Unlock()
	if early {
		p.fetching.Lock() // until an answer that is on its way is there
		defer p.fetching.Unlock()
		return p.known.Load() != before
	}
	if err := p.fetch(ctx); err != nil {
		p.Log.Warn("a key that is not known could not be asked for", zap.Error(err))
		return false
	}
	return true
}
