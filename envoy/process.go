package envoy

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// process is one run of the Envoy binary.
type process struct {
	pid     int
	started time.Time
	exited  chan struct{} // closed when the process has ended and err is set
	err     error         // how it ended, as exec.Cmd.Wait says
}

// startProcess starts the binary in a process group of its own, so that a
// Ctrl-C at the terminal reaches the gateway only, which then drains.
//
// On Linux the kernel kills the child when the thread that started it ends.
// The goroutine that starts and waits therefore keeps its thread to itself
// until the child is gone: only the death of the whole gateway ends it early.
func startProcess(path string, args []string, log *zap.Logger, now func() time.Time) (*process, error) {
	cmd := exec.Command(path, args...)
	out := &logWriter{log: log}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = childAttributes()
	// Envoy takes nothing from the environment; secrets may be in it.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}

	p := &process{exited: make(chan struct{})}
	begun := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			begun <- err
			return
		}
		p.pid, p.started = cmd.Process.Pid, now()
		begun <- nil
		p.err = cmd.Wait()
		out.flush()
		close(p.exited)
	}()
	if err := <-begun; err != nil {
		return nil, fmt.Errorf("starting Envoy: %w", err)
	}
	return p, nil
}

// signal sends the signal unless the process has ended.
func (p *process) signal(sig syscall.Signal) {
	select {
	case <-p.exited:
	default:
		_ = syscall.Kill(p.pid, sig)
	}
}

// stop ends the process: SIGTERM, and SIGKILL when it does not obey in time.
func (p *process) stop(grace time.Duration) {
	p.signal(syscall.SIGTERM)
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-p.exited:
	case <-t.C:
		p.signal(syscall.SIGKILL)
		<-p.exited
	}
}

// ending says in words how the process ended.
func (p *process) ending() string {
	if p.err == nil {
		return "exit status 0"
	}
	return p.err.Error()
}
