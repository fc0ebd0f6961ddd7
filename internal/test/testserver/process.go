package testserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-ckpt/checkpoint/internal/test/testserver/freeport"
)

const (
	startTime = 60 * time.Second // a server that is not ready by then has failed
	stopTime  = 20 * time.Second // a server that has not stopped by then is killed
	pollTime  = 10 * time.Millisecond
)

// A Process is a server that belongs to one test, which stops it and removes
// its folder at its end. The methods are safe for concurrent use; what goes
// wrong in them is an error of the test.
type Process struct {
	URL  string // what applications are given
	Addr string // host:port
	Dir  string // data, configuration, and the file log

	owner   *owner
	command command

	mu     sync.Mutex
	cmd    *exec.Cmd
	done   chan struct{} // closed when cmd has ended
	seen   int64         // size of the log when cmd was started
	wanted bool          // started, and not ended by a method
}

// A command is how a server is started and stopped.
type command struct {
	name     string
	path     string
	args     []string
	env      []string // in addition to ours
	dropRoot bool     // the server refuses to run as root
	ready    func(p *Process) error
	stop     syscall.Signal // for an orderly end
	abandon  syscall.Signal // for the end of the test, when the data is of no use
}

var errPortTaken = errors.New("its port was taken")

// launch makes a folder, takes a port and starts the server that prepare
// describes, again if another process is faster in taking the port. prepare
// also fills in p.URL.
func launch(o *owner, name string, prepare func(p *Process, port int) (command, error)) (*Process, error) {
	for attempt := 1; ; attempt++ {
		p, err := prepared(o, name, prepare)
		if err == nil {
			err = p.start()
		}
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, errPortTaken) || attempt == 10 {
			return nil, err
		}
	}
}

// prepared makes a process that has not been started.
func prepared(o *owner, name string, prepare func(p *Process, port int) (command, error)) (*Process, error) {
	port, err := freeport.Get()
	if err != nil {
		return nil, err
	}
	dir, err := newDir(name)
	if err != nil {
		return nil, err
	}
	p := &Process{Addr: fmt.Sprintf("127.0.0.1:%d", port), Dir: dir, owner: o}
	o.cleanup(p.abandon)
	p.command, err = prepare(p, port)
	p.command.name = name
	return p, err
}

// start runs the command and waits until the server is ready.
func (p *Process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		return fmt.Errorf("%s runs already", p.command.name)
	}
	log, err := os.OpenFile(p.logName(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	if info, err := log.Stat(); err == nil {
		p.seen = info.Size()
	}

	cmd := exec.Command(p.command.path, p.command.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.Dir, log, log
	cmd.Env = append(os.Environ(), p.command.env...)
	cmd.SysProcAttr = attributes()
	if p.command.dropRoot {
		if err := dropRoot(cmd, p.Dir); err != nil {
			return err
		}
	}
	started, done := make(chan error), make(chan struct{})
	go func() {
		// The kernel kills the server when this thread ends: keep it until then.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(done)
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("starting %s: %w", p.command.name, err)
	}
	p.cmd, p.done = cmd, done
	return p.await()
}

// await waits until a server that was started is ready.
func (p *Process) await() error {
	err := errors.New("not asked yet")
	for deadline := time.Now().Add(startTime); time.Now().Before(deadline); {
		ended := false
		select {
		case <-p.done:
			ended = true
		case <-time.After(pollTime):
			err = p.command.ready(p)
		}
		// Java goes on without the port, and then another server answers there.
		if strings.Contains(strings.ToLower(p.log()), "address already in use") {
			p.signal(sigKill)
			<-p.done
			return fmt.Errorf("%s did not start: %w", p.command.name, errPortTaken)
		}
		switch {
		case ended:
			return fmt.Errorf("%s did not start: %v; its log:\n%s", p.command.name, p.cmd.ProcessState, tail(p.log()))
		case err == nil:
			p.wanted = true
			return nil
		}
	}
	p.signal(sigKill)
	<-p.done
	return fmt.Errorf("%s was not ready after %v: %v; its log:\n%s", p.command.name, startTime, err, tail(p.log()))
}

// Kill ends the server and its children as a crash would.
func (p *Process) Kill() { p.end(sigKill) }

// Stop ends the server in good order. Its data stays for Restart.
func (p *Process) Stop() { p.end(p.command.stop) }

// Restart starts the server again on the same port and data, and returns when
// it is ready. A server that still runs is stopped first.
func (p *Process) Restart() {
	p.Stop()
	var err error
	for range 100 { // the port, or the memory of a killed PostgreSQL, may be in use for an instant
		err = p.start()
		if err == nil {
			return
		}
		if !errors.Is(err, errPortTaken) && !strings.Contains(err.Error(), "still in use") {
			break
		}
		time.Sleep(5 * pollTime)
	}
	p.fail(err)
}

// Pause stops the server in its tracks: connections stay open and no answer
// comes, until Resume.
func (p *Process) Pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail(p.signal(sigStop))
}

// Resume ends what Pause began.
func (p *Process) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail(p.signal(sigCont))
}

// Log is what the server has written to its log since it was last started.
func (p *Process) Log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log()
}

// running reports whether a command has been started that has not ended.
func (p *Process) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal sends a signal to the server, and to its children too unless it is one
// that the server passes on.
func (p *Process) signal(signal syscall.Signal) error {
	if !p.running() {
		return fmt.Errorf("%s does not run", p.command.name)
	}
	pid := p.cmd.Process.Pid
	var pids []int
	switch signal {
	case sigKill, sigCont:
		pids = children(pid)
	}
	if err := sendSignal(pid, signal); err != nil {
		return fmt.Errorf("%s to %s: %w", signal, p.command.name, err)
	}
	if signal == sigStop { // from here on there are no new ones
		pids = children(pid)
	}
	for _, child := range pids {
		sendSignal(child, signal) // it may have ended by itself
	}
	return nil
}

// end sends a signal and waits for the end of a server that runs.
func (p *Process) end(signal syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wanted = false
	if !p.running() {
		return
	}
	if signal != sigKill {
		p.signal(sigCont) // if paused, it could not act on the signal
	}
	p.fail(p.signal(signal))
	select {
	case <-p.done:
	case <-time.After(stopTime):
		p.fail(fmt.Errorf("%s did not stop within %v; its log:\n%s", p.command.name, stopTime, tail(p.log())))
		p.signal(sigKill)
		<-p.done
	}
}

// abandon ends the server and removes its folder.
func (p *Process) abandon() {
	p.mu.Lock()
	if p.owner.t != nil && p.wanted && !p.running() {
		p.owner.t.Logf("%s ended by itself: %v; its log:\n%s", p.command.name, p.cmd.ProcessState, tail(p.log()))
	}
	p.mu.Unlock()
	p.end(p.command.abandon)
	os.RemoveAll(p.Dir)
}

func (p *Process) fail(err error) {
	switch {
	case err == nil:
	case p.owner.t != nil:
		p.owner.t.Helper()
		p.owner.t.Error(err)
	default:
		fmt.Fprintln(os.Stderr, err)
	}
}

func (p *Process) logName() string { return filepath.Join(p.Dir, "log") }

func (p *Process) log() string {
	text, _ := os.ReadFile(p.logName())
	return string(text[min(p.seen, int64(len(text))):])
}

// logged as command.ready waits for a line of the log.
func logged(text string) func(*Process) error {
	return func(p *Process) error {
		if !strings.Contains(p.log(), text) {
			return fmt.Errorf("its log does not say %q", text)
		}
		return nil
	}
}

// tail returns the last lines of a log.
func tail(log string) string {
	lines := strings.SplitAfter(log, "\n")
	return strings.Join(lines[max(0, len(lines)-60):], "")
}
