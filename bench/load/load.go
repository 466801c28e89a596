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
}

// Result is what was measured. Latencies are in milliseconds.
type Result struct {
	Requests   int     // right answers
	Errors     int     // anything else
	FirstError string  // what the first of them was
	Seconds    float64 // measured time
	P50, P99   float64 // until the whole answer
	First50    float64 // until the first byte of the answer's body
	First99    float64
}

// timeout bounds one request, so that a gateway that hangs ends the run.
const timeout = 30 * time.Second

// Run drives the load. Between warm-up and measurement it calls ready, if not
// nil, while no request is under way.
func Run(c Config, ready func() error) (Result, error) {
	g, err := newGenerator(c)
	if err != nil {
		return Result{}, err
	}
	defer g.close()
	if c.Warmup > 0 {
		if warm := g.drive(c.Warmup); warm.Requests == 0 {
			return warm, fmt.Errorf("warming up: no right answer, %d wrong ones: %s", warm.Errors, warm.FirstError)
		}
	}
	if ready != nil {
		if err := ready(); err != nil {
			return Result{}, err
		}
	}
	return g.drive(c.Duration), nil
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

// drive loads for d and sums up what the workers saw.
func (g *generator) drive(d time.Duration) Result {
	start := time.Now()
	end := start.Add(d)
	var turns chan time.Time
	if g.config.Rate > 0 {
		turns = make(chan time.Time, 1024)
		go schedule(turns, g.config.Rate, start, end)
	}
	var wg sync.WaitGroup
	for _, w := range g.workers {
		w.samples, w.errors, w.firstError = w.samples[:0], 0, ""
		wg.Go(func() { w.run(turns, end) })
	}
	wg.Wait()
	return g.sum(time.Since(start))
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

func (g *generator) sum(took time.Duration) Result {
	out := Result{Seconds: took.Seconds()}
	var whole, head []time.Duration
	for _, w := range g.workers {
		for _, s := range w.samples {
			whole, head = append(whole, s.whole), append(head, s.head)
		}
		out.Errors += w.errors
		if out.FirstError == "" {
			out.FirstError = w.firstError
		}
	}
	out.Requests = len(whole)
	out.P50, out.P99 = Percentile(whole, 0.50), Percentile(whole, 0.99)
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
	g          *generator
	conn       net.Conn
	reader     *bufio.Reader
	body       bytes.Buffer
	samples    []sample
	errors     int
	firstError string
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
		w.errors++
		if w.firstError == "" {
			w.firstError = err.Error()
		}
		w.drop()
		time.Sleep(10 * time.Millisecond) // a refusing gateway is not to be hammered
		return
	}
	w.samples = append(w.samples, sample{head: head.Sub(start), whole: time.Since(start)})
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
