package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
)

var _ = addChild("full", fullChild)

// TestFullDisk fills a disk of 4 MB: a file system in memory that a child
// mounts where nobody else sees it.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
	}
	c, err := tryStart(t, "full", attr, t.TempDir())
	if err != nil {
		t.Skipf("this system lets nobody mount: %v", err)
	}
	got := c.rest(t)
	if len(got) > 0 && strings.HasPrefix(got[0], "mount:") {
		t.Skipf("this system lets nobody mount: %s", got[0])
	}
	want := []string{
		"full: database unavailable: no space is left for FILE: free some and save again; what was saved before is intact (database or disk is full (13))",
		"full for several: database unavailable: no space is left for FILE: free some and save again; what was saved before is intact (database or disk is full (13))",
		"saves with space again",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func fullChild(args []string) {
	dir := args[0]
	err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	if err == nil {
		err = syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m")
	}
	if err != nil {
		say("mount: %v", err)
		return
	}
	ballast, file := filepath.Join(dir, "ballast"), filepath.Join(dir, "agents.db")
	must(os.WriteFile(ballast, make([]byte, 1<<20), 0o600))
	ctx := context.Background()
	b := childOpen(file)
	must(b.Ping(ctx))
	state := func(n int) string { return fmt.Sprintf(`{"n":%d,"padding":%q}`, n, strings.Repeat("x", 20_000)) }
	thread := func(n int) string { return fmt.Sprint("thread-", n) }
	acknowledged := map[int]bool{}
	n := 0
	for ; err == nil; n++ {
		if _, err = b.Save(ctx, request(thread(n), state(n))); err == nil {
			acknowledged[n] = true
		}
	}
	say("full: %s", strings.ReplaceAll(err.Error(), file, "FILE"))

	var mu sync.Mutex
	var wg sync.WaitGroup
	failures := map[string]bool{}
	for range 8 {
		wg.Go(func() {
			mu.Lock()
			n++
			n := n
			mu.Unlock()
			_, err := b.Save(ctx, request(thread(n), state(n)))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failures[strings.ReplaceAll(err.Error(), file, "FILE")] = true
			} else {
				acknowledged[n] = true
			}
		})
	}
	wg.Wait()
	for f := range failures {
		say("full for several: %s", f)
	}

	check := func() {
		for n := range acknowledged {
			c, err := b.Load(ctx, driver.LoadRequest{Key: key(thread(n)), Now: now})
			must(err)
			if string(c.Payload) != state(n) {
				must(errors.New("a state is not what was saved"))
			}
		}
	}
	check()
	must(os.Remove(ballast))
	for range 10 {
		n++
		_, err := b.Save(ctx, request(thread(n), state(n)))
		must(err)
		acknowledged[n] = true
	}
	check()
	must(b.Close())
	b = childOpen(file)
	check()
	must(b.Close())
	say("saves with space again")
}
