// Package batch makes several requests to a provider of one of a client's,
// where the provider's API takes one input at a time: embeddings of a list of
// texts at models that embed one. Envoy sends a request to one place only, so
// it sends this one here, to a server of this process, which sends the others
// by the rules of egress.
package batch

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"sluice/extproc/provider"
	"sluice/xds"
)

// Local is the name of the server as an upstream.
const Local = "batch"

// atOnce is how many requests of one batch are under way at one time.
const atOnce = 4

// header carries the number of a batch from Envoy to this server.
const header = "x-sluice-batch"

// Signer adds to a request what it authenticates with.
type Signer = func(ctx context.Context, up *provider.Upstream) error

// Server makes batches. It is safe for concurrent use.
type Server struct {
	client *http.Client
	limit  int64 // bytes of all replies of a batch together

	mu   sync.Mutex // guards the following field
	jobs map[string]job
}

type job struct {
	up   provider.Upstream
	at   xds.Upstream
	sign Signer
}

// New makes a server that sends with client, and refuses replies of a batch
// that are larger than limit bytes together.
func New(client *http.Client, limit int64) *Server {
	return &Server{client: client, limit: limit, jobs: map[string]job{}}
}

// At is the upstream that answers for every batch.
func (s *Server) At() xds.Upstream { return xds.Upstream{Local: Local} }

// Add takes a batch for a target at an upstream. The request that is returned
// asks the server at At for the replies; done forgets the batch.
func (s *Server) Add(up provider.Upstream, at xds.Upstream, sign Signer) (to xds.Upstream, ask provider.Upstream, done func()) {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	number := hex.EncodeToString(random[:])
	s.mu.Lock()
	s.jobs[number] = job{up, at, sign}
	s.mu.Unlock()
	ask = provider.Upstream{Method: http.MethodPost, Path: "/", Headers: [][2]string{{header, number}}}
	return s.At(), ask, func() {
		s.mu.Lock()
		delete(s.jobs, number)
		s.mu.Unlock()
	}
}

// ServeHTTP sends the requests of the batch that the request names and answers
// with a JSON array of their replies, or with the first reply that is no
// success.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	j, ok := s.jobs[r.Header.Get(header)]
	s.mu.Unlock()
	if !ok {
		http.Error(w, "no such batch", http.StatusNotFound)
		return
	}
	replies, err := s.run(r.Context(), j)
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		refused.write(w)
	case err != nil:
		// Envoy is told what it would have seen itself: no reply.
		panic(http.ErrAbortHandler)
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(append([]byte{'['}, bytes.Join(replies, []byte{','})...), ']'))
	}
}

func (s *Server) run(ctx context.Context, j job) ([][]byte, error) {
	replies := make([][]byte, len(j.up.Batch))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range j.up.Batch {
		group.Go(func() (err error) {
			replies[i], err = s.send(ctx, j, i)
			return err
		})
	}
	return replies, group.Wait()
}

// refusal is a reply of the provider that is no success.
type refusal struct {
	status int
	header http.Header
	body   []byte
}

func (r *refusal) Error() string { return "the provider answered " + strconv.Itoa(r.status) }

func (r *refusal) write(w http.ResponseWriter) {
	for _, name := range []string{"Content-Type", "Retry-After", "X-Amzn-Errortype"} {
		if v := r.header.Get(name); v != "" {
			w.Header().Set(name, v)
		}
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body)
}

func (s *Server) send(ctx context.Context, j job, i int) ([]byte, error) {
	up := j.up
	up.Body, up.Batch = j.up.Batch[i], nil
	up.Headers = append([][2]string(nil), j.up.Headers...)
	if err := j.sign(ctx, &up); err != nil {
		return nil, err
	}
	req, err := request(ctx, &up, j.at)
	if err != nil {
		return nil, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("sending part %d of a batch: %w", i+1, err)
	}
	defer func() { _ = resp.Body.Close() }()
	most := s.limit / int64(len(j.up.Batch))
	body, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading part %d of a batch: %w", i+1, err)
	case int64(len(body)) > most:
		return nil, fmt.Errorf("part %d of a batch is larger than %d bytes", i+1, most)
	case resp.StatusCode/100 != 2:
		return nil, &refusal{resp.StatusCode, resp.Header, body}
	}
	return body, nil
}

func request(ctx context.Context, up *provider.Upstream, at xds.Upstream) (*http.Request, error) {
	scheme := "http"
	if at.TLS {
		scheme = "https"
	}
	url := scheme + "://" + net.JoinHostPort(at.Host, strconv.Itoa(int(at.Port))) + up.Path
	req, err := http.NewRequestWithContext(ctx, up.Method, url, bytes.NewReader(up.Body))
	if err != nil {
		return nil, fmt.Errorf("making part of a batch: %w", err)
	}
	req.Host = at.HostHeader()
	for _, h := range up.Headers {
		req.Header.Set(h[0], h[1])
	}
	return req, nil
}
