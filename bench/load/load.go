// Package load is a small HTTP/1.1 load generator: a fixed number of kept-alive
// connections, either as fast as they go or at a fixed rate, for a fixed time.
package load

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sort"
	"strings"
	"sync"
	"time"
)

// Config says what to send, where and how often.
type Config struct {
	Addr        string            // "127.0.0.1:8443"
	CA          []byte            // PEM; empty: no TLS
	ServerName  string            // checked in the certificate
	Path        string            // of each POST
	Header      map[string]string // besides Host, Content-Type and Content-Length
	Body        []byte            // the same for each request
	Expect      string            // each answer must hold it, or it is an error
	Connections int
	Rate        float64       // requests/s over all connections; 0: as fast as they go
	Warmup      time.Duration // load before the measured time
	Duration    time.Duration // the measured time

	// Every is the time between two calls of Each during the measured time, with
	// what was measured since the last one; 0: none. The end of the measured
	// time is the end of the last interval.
	Every time.Duration
	Each  func(Result) `json:"-"`
}

// Result is what was measured. Latencies are in milliseconds.
type Result struct {
	Requests   int     // right answers
	Errors     int     // anything else
	FirstError string  // what the first of them was
	Seconds    float64 // measured time
	P50, P90   float64 // until the whole answer
	P99, P999  float64
	First50    float64 // until the first byte of the answer's body
	First99    float64
}

// timeout bounds one request, so that a gateway that hangs ends the run.
const timeout = 30 * time.Second

// backlog is how many turns may wait for a connection until the schedule itself
// waits, and with it the clock of those that come later.
const backlog = 1 << 16

// Run drives the load. Between warm-up and measurement it calls ready, if not
// nil, while no request is under way.
func Run(c Config, ready func() error) (Result, error) {
	g, err := newGenerator(c)
	if err != nil {
		return Result{}, err
	}
	defer g.close()
	if c.Warmup > 0 {
		if warm := g.drive(c.Warmup, false); warm.Requests == 0 {
			return warm, fmt.Errorf("warming up: no right answer, %d wrong ones: %s", warm.Errors, warm.FirstError)
		}
	}
	if ready != nil {
		if err := ready(); err != nil {
			return Result{}, err
		}
	}
	return g.drive(c.Duration, true), nil
}

type generator struct {
	config  Config
	tls     *tls.Config
	request []byte
	workers []*worker
}

func newGenerator(c Config) (*generator, error) {
	if c.Connections < 1 {
		return nil, errors.New("at least one connection is needed")
	}
	g := &generator{config: c, request: requestBytes(c)}
	if len(c.CA) > 0 {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(c.CA) {
			return nil, errors.New("the CA is not PEM")
		}
		g.tls = &tls.Config{RootCAs: pool, ServerName: c.ServerName, MinVersion: tls.VersionTLS12,
			NextProtos: []string{"http/1.1"}}
	}
	for range c.Connections {
		g.workers = append(g.workers, &worker{g: g})
	}
	return g, nil
}

func requestBytes(c Config) []byte {
	var b bytes.Buffer
	host := c.ServerName
	if host == "" {
		host = c.Addr
	}
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n",
		c.Path, host, len(c.Body))
	names := make([]string, 0, len(c.Header))
	for name := range c.Header {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(&b, "%s: %s\r\n", name, c.Header[name])
	}
	b.WriteString("\r\n")
	b.Write(c.Body)
	return b.Bytes()
}

func (g *generator) close() {
	for _, w := range g.workers {
		w.drop()
	}
}

// drive loads for d and sums up what the workers saw. Intervals are told of in
// the measured time only.
func (g *generator) drive(d time.Duration, measured bool) Result {
	start := time.Now()
	end := start.Add(d)
	var turns chan time.Time
	if g.config.Rate > 0 {
		turns = make(chan time.Time, backlog)
		go schedule(turns, g.config.Rate, start, end)
	}
	var wg sync.WaitGroup
	for _, w := range g.workers {
		w.reset()
		wg.Go(func() { w.run(turns, end) })
	}
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	if measured && g.config.Every > 0 && g.config.Each != nil {
		g.tell(start, done)
	}
	<-done
	return g.sum(time.Since(start), func(*worker) mark { return mark{} })
}

// tell hands what each interval brought to Each until done is closed.
func (g *generator) tell(start time.Time, done <-chan struct{}) {
	seen := map[*worker]mark{}
	_ = Intervals(start, g.config.Every, done, func(took time.Duration) error {
		g.config.Each(g.sum(took, func(w *worker) mark {
			from := seen[w]
			seen[w] = w.mark()
			return from
		}))
		return nil
	})
}

// Intervals calls each with the length of every interval since start, and of the
// last one when done is closed. It ends there, or with the first error of each.
func Intervals(start time.Time, every time.Duration, done <-chan struct{}, each func(took time.Duration) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for last, over := start, false; !over; {
		select {
		case <-tick.C:
		case <-done:
			over = true
		}
		now := time.Now()
		if err := each(now.Sub(last)); err != nil {
			return err
		}
		last = now
	}
	return nil
}

// schedule sends the time of each turn when it has come. A worker's latency
// counts from there, so that waiting for a free connection is seen.
func schedule(turns chan<- time.Time, rate float64, start, end time.Time) {
	defer close(turns)
	gap := time.Duration(float64(time.Second) / rate)
	for at := start; at.Before(end); at = at.Add(gap) {
		time.Sleep(time.Until(at))
		turns <- time.Now()
	}
}

// sum is what the workers saw since a mark of each of them.
func (g *generator) sum(took time.Duration, since func(*worker) mark) Result {
	out := Result{Seconds: took.Seconds()}
	var whole, head []time.Duration
	for _, w := range g.workers {
		from := since(w)
		w.mu.Lock()
		for _, s := range w.samples[min(from.samples, len(w.samples)):] {
			whole, head = append(whole, s.whole), append(head, s.head)
		}
		out.Errors += w.errors - from.errors
		if out.FirstError == "" {
			out.FirstError = w.firstError
		}
		w.mu.Unlock()
	}
	out.Requests = len(whole)
	out.P50, out.P90 = Percentile(whole, 0.50), Percentile(whole, 0.90)
	out.P99, out.P999 = Percentile(whole, 0.99), Percentile(whole, 0.999)
	out.First50, out.First99 = Percentile(head, 0.50), Percentile(head, 0.99)
	return out
}

// Percentile sorts the samples and returns the one at p (from 0 to 1), nearest
// rank, in milliseconds; 0 without samples.
func Percentile(samples []time.Duration, p float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	sort.Slice(samples, func(i, j int) bool { return samples[i] < samples[j] })
	rank := int(p*float64(len(samples)) + 0.999999)
	rank = min(max(rank, 1), len(samples))
	return float64(samples[rank-1]) / float64(time.Millisecond)
}

type sample struct{ head, whole time.Duration }

// worker is one connection.
type worker struct {
	g      *generator
	conn   net.Conn
	reader *bufio.Reader
	body   bytes.Buffer

	mu         sync.Mutex // guards the following fields
	samples    []sample
	errors     int
	firstError string
}

// mark is how far a worker was.
type mark struct{ samples, errors int }

func (w *worker) mark() mark {
	w.mu.Lock()
	defer w.mu.Unlock()
	return mark{len(w.samples), w.errors}
}

func (w *worker) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.samples, w.errors, w.firstError = w.samples[:0], 0, ""
}

func (w *worker) run(turns <-chan time.Time, end time.Time) {
	if turns != nil {
		for at := range turns {
			w.one(at)
		}
		return
	}
	for now := time.Now(); ; now = time.Now() {
		w.one(now) // one at least, however slow the machine
		if !time.Now().Before(end) {
			return
		}
	}
}

func (w *worker) one(start time.Time) {
	head, err := w.exchange()
	if err != nil {
		w.failed(err)
		w.drop()
		time.Sleep(10 * time.Millisecond) // a refusing gateway is not to be hammered
		return
	}
	s := sample{head: head.Sub(start), whole: time.Since(start)}
	w.mu.Lock()
	w.samples = append(w.samples, s)
	w.mu.Unlock()
}

func (w *worker) failed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.errors++
	if w.firstError == "" {
		w.firstError = err.Error()
	}
}

// exchange sends the request and reads the answer. head is when the first
// byte of the body was there.
func (w *worker) exchange() (head time.Time, err error) {
	if err := w.dial(); err != nil {
		return head, err
	}
	if err := w.conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return head, fmt.Errorf("setting the deadline: %w", err)
	}
	if _, err := w.conn.Write(w.g.request); err != nil {
		return head, fmt.Errorf("sending: %w", err)
	}
	response, err := http.ReadResponse(w.reader, nil)
	if err != nil {
		return head, fmt.Errorf("reading the head: %w", err)
	}
	defer response.Body.Close()
	w.body.Reset()
	if _, err := io.CopyN(&w.body, response.Body, 1); err != nil && !errors.Is(err, io.EOF) {
		return head, fmt.Errorf("reading the body: %w", err)
	}
	head = time.Now()
	if _, err := w.body.ReadFrom(response.Body); err != nil {
		return head, fmt.Errorf("reading the body: %w", err)
	}
	return head, w.check(response)
}

func (w *worker) check(response *http.Response) error {
	if response.StatusCode != http.StatusOK || !bytes.Contains(w.body.Bytes(), []byte(w.g.config.Expect)) {
		text := w.body.String()
		return fmt.Errorf("status %d: %s", response.StatusCode, strings.TrimSpace(text[:min(len(text), 300)]))
	}
	if response.Close {
		w.drop()
	}
	return nil
}

func (w *worker) dial() error {
	if w.conn != nil {
		return nil
	}
	conn, err := net.DialTimeout("tcp", w.g.config.Addr, timeout)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	if w.g.tls != nil {
		conn = tls.Client(conn, w.g.tls)
	}
	w.conn, w.reader = conn, bufio.NewReaderSize(conn, 16<<10)
	return nil
}

func (w *worker) drop() {
	if w.conn != nil {
		_ = w.conn.Close() // nothing is left to be sent
		w.conn = nil
	}
}
