package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice/internal/simulate"
)

// receivers are what the two sinks send to.
type receivers struct {
	dir                     string // for files of the measurement
	redisAddr, collectorURL string
	redis                   *child
}

// withReceivers runs do with a redis-server and a collector.
func (s *sustaining) withReceivers(ctx context.Context, do func(*receivers) error) error {
	dir, err := os.MkdirTemp("", "sluice-sustain-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // of the measurement only
	r := &receivers{dir: dir}
	if r.redisAddr, err = simulate.RefusedAddr(); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(r.redisAddr)
	if err != nil {
		return fmt.Errorf("reading %s: %w", r.redisAddr, err)
	}
	// Every record goes through the file, so the default would rewrite it every few seconds.
	r.redis, err = startChild("redis-server", nil, "redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", dir,
		"--save", "", "--appendonly", "yes", "--auto-aof-rewrite-min-size", "1gb")
	if err != nil {
		return fmt.Errorf("%w (Debian has it as redis-server)", err)
	}
	defer r.redis.stop()
	waiting, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := r.redis.wait(waiting, func() error { return accepts(r.redisAddr) }); err != nil {
		return err
	}
	collector, addr, err := startRole(waiting, roleCollector)
	if err != nil {
		return err
	}
	defer collector.stop()
	r.collectorURL = "http://" + addr + "/"
	return do(r)
}

func (r *receivers) redisRSS() int64 {
	all, err := readProcesses()
	if err != nil {
		return 0
	}
	return all[r.redis.cmd.Process.Pid].rss
}

// proof asks both receivers what they got.
func (r *receivers) proof(ctx context.Context) (proof, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	var out proof
	client := redis.NewClient(&redis.Options{Addr: r.redisAddr, DisableIdentity: true})
	defer client.Close()
	info, err := client.XInfoStream(ctx, "sluice:audit").Result()
	if err != nil {
		return out, fmt.Errorf("asking Redis what it got: %w", err)
	}
	out.redisAdded, out.redisLength = info.EntriesAdded, info.Length
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.collectorURL, nil)
	if err != nil {
		return out, fmt.Errorf("making the request: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return out, fmt.Errorf("asking the collector what it got: %w", err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&out.collected); err != nil {
		return out, fmt.Errorf("asking the collector what it got: %w", err)
	}
	return out, nil
}

// collected is what a collector got.
type collected struct {
	Records   int64 // lines with an id that was not there before
	Exchanges int64 // of these
	Twice     int64 // lines with an id that was
	Bad       int64 // lines without an id
	Bytes     int64
}

// collector takes lines of JSON and looks for what it needs only: it shares the
// machine with what is measured.
type collector struct {
	mu   sync.Mutex // guards the following fields
	got  collected
	seen []uint64 // a bit for each sequence
}

// ServeHTTP takes lines that are posted, and answers GET with the counts.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		c.mu.Lock()
		defer c.mu.Unlock()
		_ = json.NewEncoder(w).Encode(c.got) // whoever asked is gone
		return
	}
	if err := c.take(r); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (c *collector) take(r *http.Request) error {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return err
		}
		body = unpacked
	}
	reader := bufio.NewReaderSize(body, 64<<10)
	for {
		line, err := reader.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		if len(line) > 0 {
			c.line(line)
		}
		for long { // the ids are at its beginning
			_, err = reader.ReadSlice('\n')
			long = errors.Is(err, bufio.ErrBufferFull)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

var (
	idMember       = []byte(`"recordId":"`)
	exchangeMember = []byte(`"exchange":{`)
)

// line counts one record by its id, which ends with its sequence in the trail.
func (c *collector) line(line []byte) {
	sequence, ok := sequenceOf(line)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got.Bytes += int64(len(line))
	if !ok {
		c.got.Bad++
		return
	}
	for sequence/64 >= uint64(len(c.seen)) {
		c.seen = append(c.seen, make([]uint64, 1024)...)
	}
	bit := uint64(1) << (sequence % 64)
	if c.seen[sequence/64]&bit != 0 {
		c.got.Twice++
		return
	}
	c.seen[sequence/64] |= bit
	c.got.Records++
	if bytes.Contains(line, exchangeMember) {
		c.got.Exchanges++
	}
}

func sequenceOf(line []byte) (uint64, bool) {
	_, id, found := bytes.Cut(line, idMember)
	id, _, closed := bytes.Cut(id, []byte(`"`))
	_, number, dashed := bytes.Cut(id, []byte("-"))
	sequence, err := strconv.ParseUint(string(number), 10, 32)
	return sequence, found && closed && dashed && err == nil
}

func serveCollector() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	fmt.Println("listening", listener.Addr())
	server := &http.Server{Handler: &collector{}, ReadHeaderTimeout: 10 * time.Second}
	onTerm(func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}
