//go:build unix && !linux

package envoy

import "syscall"

// childAttributes has no tie to the parent's death: only Linux offers one.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
