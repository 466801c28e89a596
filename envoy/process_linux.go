package envoy

import "syscall"

// childAttributes ties the life of Envoy to that of the gateway: a gateway
// that is killed must leave no Envoy behind that goes on serving.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
