//go:build unix && !linux

package testserver

import "syscall"

// attributes puts a server into its own process group. Nothing here kills it
// when the test binary is killed before [Main] can stop it.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// children would be those outside the process group; they stay unknown here.
func children(int) []int { return nil }
