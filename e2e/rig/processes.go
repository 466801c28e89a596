package rig

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Zombie reports whether a process has ended.
func Zombie(pid int) bool {
	state, _ := status(pid)
	return state == "" || state == "Z"
}

// status is the state of a process and the process that started it; "" where
// there is none.
func status(pid int) (state string, parent int) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", 0
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 2 {
		return "", 0
	}
	parent, _ = strconv.Atoi(fields[1])
	return fields[0], parent
}

// EnvoyPID is the gateway's Envoy, waited for where it is being started.
func (g *Gateway) EnvoyPID() int {
	g.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		dirs, _ := filepath.Glob("/proc/[0-9]*")
		for _, dir := range dirs {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			if state, parent := status(pid); state != "" && state != "Z" && parent == g.PID() {
				return pid
			}
		}
	}
	g.t.Fatal("the gateway has no Envoy")
	return 0
}
