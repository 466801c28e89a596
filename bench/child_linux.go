package main

import "syscall"

// childAttributes lets no process outlive the benchmark.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
