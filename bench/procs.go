package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc: 1/100 s on every Linux of today
// (sysconf _SC_CLK_TCK).
const tick = 10 * time.Millisecond

// usage is what processes have used: CPU since they started, memory now.
type usage struct {
	cpu time.Duration // user and system, waited-for children included
	rss int64         // bytes
}

// footprint is the usage of a gateway, Envoy apart from the rest.
type footprint struct{ envoy, server usage }

// footprintOf adds up the processes with the given ids and all that descend
// from them. A process named envoy counts as Envoy.
func footprintOf(roots []int) (footprint, error) {
	all, err := readProcesses()
	if err != nil {
		return footprint{}, err
	}
	members := descendants(all, roots)
	var out footprint
	for pid := range members {
		p := all[pid]
		part := &out.server
		if p.name == "envoy" {
			part = &out.envoy
		}
		part.cpu += p.cpu
		part.rss += p.rss
	}
	return out, nil
}

type process struct {
	name   string
	parent int
	usage
}

func readProcesses() (map[int]process, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	out := make(map[int]process, len(files))
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // ended meanwhile
		}
		pid, p, err := parseStat(raw)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		out[pid] = p
	}
	return out, nil
}

// parseStat reads a line of /proc/<pid>/stat, as proc(5) tells it.
func parseStat(raw []byte) (pid int, p process, err error) {
	open, end := bytes.IndexByte(raw, '('), bytes.LastIndexByte(raw, ')')
	if open < 0 || end < open {
		return 0, p, fmt.Errorf("no process name in %q", raw)
	}
	fields := strings.Fields(string(raw[end+1:])) // fields[0] is field 3, the state
	if len(fields) < 22 {
		return 0, p, fmt.Errorf("%d fields are too few", len(fields))
	}
	numbers := make([]int64, 22)
	for i := 1; i < 22; i++ {
		if numbers[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil && i < 20 {
			return 0, p, fmt.Errorf("reading field %d: %w", i+3, err)
		}
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(raw[:open])))
	p.name = string(raw[open+1 : end])
	p.parent = int(numbers[1])
	p.cpu = time.Duration(numbers[11]+numbers[12]+numbers[13]+numbers[14]) * tick // utime, stime, cutime, cstime
	p.rss = numbers[21] * int64(os.Getpagesize())
	return pid, p, err
}

func descendants(all map[int]process, roots []int) map[int]bool {
	members := map[int]bool{}
	for _, r := range roots {
		if _, ok := all[r]; ok {
			members[r] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for pid, p := range all {
			if !members[pid] && members[p.parent] {
				members[pid], grown = true, true
			}
		}
	}
	return members
}
