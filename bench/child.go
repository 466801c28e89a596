package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is a process of the benchmark. Its output is kept for when it fails.
type child struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // set before done is closed
	out  tail
}

// stopTime is how long a process has to end by itself.
const stopTime = 10 * time.Second

// startChild starts a program. A line of its output that starts with
// "listening " is handed to listening, if that is not nil.
func startChild(name string, listening chan<- string, path string, args ...string) (*child, error) {
	c := &child{name: name, cmd: exec.Command(path, args...), done: make(chan struct{})}
	c.cmd.SysProcAttr = childAttributes()
	reader, writer := io.Pipe()
	c.cmd.Stdout, c.cmd.Stderr = writer, writer
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		defer close(c.done)
		c.err = c.cmd.Wait()
		_ = writer.Close() // never fails
	}()
	go c.read(reader, listening)
	return c, nil
}

func (c *child) read(r io.Reader, listening chan<- string) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line := scanner.Text()
		if addr, ok := strings.CutPrefix(line, "listening "); ok && listening != nil {
			listening <- addr
			continue
		}
		c.out.add(line)
	}
	_, _ = io.Copy(io.Discard, r) // a line too long must not block the process
}

// stop ends the process: SIGTERM, then SIGKILL.
func (c *child) stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // an ended process is as good
	select {
	case <-c.done:
	case <-time.After(stopTime):
		_ = c.cmd.Process.Kill()
		<-c.done
	}
}

// wait polls check until it passes, the process ends or ctx does.
func (c *child) wait(ctx context.Context, check func() error) error {
	var last error
	for {
		if last = check(); last == nil {
			return nil
		}
		select {
		case <-c.done:
			return fmt.Errorf("%s ended (%v): %s", c.name, c.err, c.out.String())
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w: %s", c.name, errors.Join(last, ctx.Err()), c.out.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// startRole starts this program in another role and returns the address that
// it listens on.
func startRole(ctx context.Context, args ...string) (*child, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", fmt.Errorf("finding this program: %w", err)
	}
	listening := make(chan string, 1)
	c, err := startChild(args[0], listening, self, append([]string{"-role"}, args...)...)
	if err != nil {
		return nil, "", err
	}
	var addr string
	err = c.wait(ctx, func() error {
		select {
		case addr = <-listening:
			return nil
		default:
			return errors.New("not listening yet")
		}
	})
	if err != nil {
		c.stop()
		return nil, "", err
	}
	return c, addr, nil
}

// tail keeps the last lines of a process's output.
type tail struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == 20 {
		t.lines = t.lines[1:]
	}
	t.lines = append(t.lines, line)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b bytes.Buffer
	for _, l := range t.lines {
		b.WriteString("\n  " + l)
	}
	return b.String()
}
