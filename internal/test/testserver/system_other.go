//go:build !unix

package testserver

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

const (
	sigStop = syscall.Signal(19)
	sigCont = syscall.Signal(18)
	sigTerm = syscall.SIGTERM
	sigInt  = syscall.SIGINT
	sigQuit = syscall.SIGQUIT
	sigKill = syscall.SIGKILL
)

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

// sendSignal can only kill: there are no other signals here.
func sendSignal(pid int, signal syscall.Signal) error {
	if signal == sigStop || signal == sigCont {
		return errors.ErrUnsupported
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

// tryLock never tells that a folder is abandoned.
func tryLock(string) *os.File { return nil }

func dropRoot(*exec.Cmd, string) error { return nil }

func children(int) []int { return nil }
