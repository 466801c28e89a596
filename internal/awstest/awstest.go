// Package awstest runs moto, a stand-in of AWS, for tests, behind a switch by
// which AWS can be away, deny or throttle.
package awstest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/freeport"
)

// Region is where everything is.
const Region = "us-east-1"

// States of AWS.
const (
	Up        int32 = iota
	Away            // connections are broken
	Denied          // every call is refused with AccessDeniedException
	Throttled       // every call is refused with ThrottlingException
)

// AWS is moto behind a switch of this test's own.
type AWS struct {
	URL    string // of all services
	state  atomic.Int32
	mu     sync.Mutex // guards the following fields
	calls  map[string]int
	denied func(action, body string) bool
}

// script ends moto when its standard input does, so that it never outlives the
// test.
const script = `
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from moto.server import main
main(sys.argv[1:])
`

var moto = sync.OnceValues(start)

// python is a Python that has moto: CLIENTS_PYTHON, or that of make tools.
func python() (string, error) {
	if p := os.Getenv("CLIENTS_PYTHON"); p != "" {
		return p, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, ".tools", "clients", "bin", "python"), nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod above the working folder")
		}
		dir = filepath.Dir(dir)
	}
}

func start() (*url.URL, error) {
	bin, err := python()
	if err != nil {
		return nil, err
	}
	address, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	host, port, _ := net.SplitHostPort(address)
	cmd := exec.Command(bin, "-c", script, "-H", host, "-p", port)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	if _, err := cmd.StdinPipe(); err != nil { // stays open as long as this process
		return nil, err
	}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting moto (make tools installs it): %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	deadline := time.Now().Add(3 * time.Minute)
	for {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = c.Close()
			return url.Parse("http://" + address)
		}
		select {
		case err := <-ended:
			return nil, fmt.Errorf("moto ended at its start (make tools installs it): %w\n%s", err, output.Bytes())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("moto does not answer")
		}
	}
}

// Start returns an AWS that is up, and sets credentials for it in the
// environment. All of a process share one moto.
func Start(t testing.TB) *AWS {
	t.Helper()
	to, err := moto()
	if err != nil {
		t.Fatal(err)
	}
	a := &AWS{calls: map[string]int{}}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		action := a.count(r)
		state := a.state.Load()
		if a.denies(action, r) {
			state = Denied
		}
		switch state {
		case Away:
			panic(http.ErrAbortHandler)
		case Denied:
			refuse(w, "AccessDeniedException")
		case Throttled:
			refuse(w, "ThrottlingException")
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	a.URL = server.URL
	for name, value := range Environment() {
		set(t, name, value)
	}
	return a
}

// Environment is what a process needs to have credentials that moto takes, and
// none of this machine's.
func Environment() map[string]string {
	return map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_CA_BUNDLE": "",
	}
}

func set(t testing.TB, name, value string) {
	if s, ok := t.(interface{ Setenv(string, string) }); ok {
		s.Setenv(name, value)
	}
}

func refuse(w http.ResponseWriter, code string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-Errortype", code)
	w.WriteHeader(http.StatusBadRequest)
	// The text holds what must not be repeated.
	_, _ = fmt.Fprintf(w, `{"__type":%q,"message":"User arn:aws:iam::123456789012:user/canary-message is refused"}`, code)
}

// count notes a call by its action.
func (a *AWS) count(r *http.Request) string {
	target := r.Header.Get("X-Amz-Target")
	action := target[strings.LastIndexByte(target, '.')+1:]
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls[action]++
	return action
}

// Set changes the state of AWS.
func (a *AWS) Set(state int32) { a.state.Store(state) }

// Deny refuses the calls of which f says so, by their action, such as "Decrypt",
// and body; nil: none.
func (a *AWS) Deny(f func(action, body string) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.denied = f
}

func (a *AWS) denies(action string, r *http.Request) bool {
	a.mu.Lock()
	f := a.denied
	a.mu.Unlock()
	if f == nil {
		return false
	}
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return f(action, string(body))
}

// Calls is how often an action was called.
func (a *AWS) Calls(action string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls[action]
}

// Do calls an action of a service that speaks JSON, past the switch, and wants
// it to work: Do(t, "TrentService", "CreateKey", "{}").
func (a *AWS) Do(t testing.TB, service, action, body string) string {
	t.Helper()
	to, err := moto()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	scope := map[string]string{"TrentService": "kms", "secretsmanager": "secretsmanager"}[service]
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", service+"."+action)
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/"+Region+"/"+scope+"/aws4_request, "+
		"SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", action, resp.StatusCode, b, err)
	}
	return string(b)
}

// Python is the Python that has moto and the other tools of tests.
func Python(t testing.TB) string {
	t.Helper()
	p, err := python()
	if err != nil {
		t.Fatal(err)
	}
	return p
}
