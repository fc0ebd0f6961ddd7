package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/sqlite"
)

var (
	_ = addChild("full", fullChild)
	_ = addChild("overfull", overfullChild)
)

// TestFullDisk fills a disk of 4 MB: a file system in memory that a child
// mounts where nobody else sees it.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	got := onSmallDisk(t, "full")
	want := []string{
		"full: " + noSpace,
		"full for several: " + noSpace,
		"saves with space again",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

const noSpace = "database unavailable: no space is left for FILE, which has N KB and its log beside it N KB: free some and save again; what was saved before is intact (database or disk is full (13))"

// inGeneral takes out of an error what differs from run to run.
func inGeneral(err error, file string) string {
	return regexp.MustCompile(`[0-9]+ KB`).ReplaceAllString(strings.ReplaceAll(err.Error(), file, "FILE"), "N KB")
}

// TestOverfullDisk tries to save states that are larger than the disk, between small
// ones: their pages do not stay in the log, which would keep the space from the file.
// Such a state is refused before it is written where the space is known, and taken
// out of the log where it is not.
func TestOverfullDisk(t *testing.T) {
	t.Parallel()
	refused := strings.Replace(strings.TrimSuffix(noSpace, " (database or disk is full (13))"), "left for", "left to save N KB in", 1)
	for known, text := range map[string]string{"known": refused, "unknown": noSpace} {
		t.Run(known, func(t *testing.T) {
			t.Parallel()
			want := []string{"too large: " + text, "too large beside a reader: " + text, "all small states are there"}
			if got := onSmallDisk(t, "overfull", known); !slices.Equal(got, want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
			}
		})
	}
}

// onSmallDisk runs a child on a disk of its own and returns what it said.
func onSmallDisk(t *testing.T, child string, args ...string) []string {
	t.Helper()
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
	}
	c, err := tryStart(t, child, attr, append([]string{t.TempDir()}, args...)...)
	if err != nil {
		t.Skipf("this system lets nobody mount: %v", err)
	}
	got := c.rest(t)
	if len(got) > 0 && strings.HasPrefix(got[0], "mount:") {
		t.Skipf("this system lets nobody mount: %s", got[0])
	}
	return got
}

// mountSmall mounts a disk of that size, and reports whether that was allowed.
func mountSmall(dir, size string) bool {
	err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	if err == nil {
		err = syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size)
	}
	if err != nil {
		say("mount: %v", err)
	}
	return err == nil
}

// overfullChild saves states of 20 KB on a disk of 12 MB, and tries two of 16 MB
// between them.
func overfullChild(args []string) {
	if !mountSmall(args[0], "12m") {
		return
	}
	ctx := context.Background()
	file := filepath.Join(args[0], "agents.db")
	b := childOpen(file)
	if args[1] == "unknown" {
		sqlite.WithoutSpace(b)
	}
	state := fmt.Sprintf("%q", strings.Repeat("x", 20_000))
	large := fmt.Sprintf("%q", strings.Repeat("x", 16<<20))
	n := 0
	small := func() error {
		_, err := b.Save(ctx, request(fmt.Sprint("thread-", n), state))
		if err == nil {
			n++
		}
		return err
	}
	tooLarge := func(what string) {
		_, err := b.Save(ctx, request("large", large))
		if err == nil {
			say("%s: it was saved", what)
			return
		}
		say("%s: %s", what, inGeneral(err, file))
	}
	log := func(when string) {
		info, err := os.Stat(file + "-wal")
		must(err)
		if info.Size() > 1<<20 {
			say("%s the log has %d KB", when, info.Size()>>10)
		}
	}
	for range 10 {
		must(small())
	}
	tooLarge("too large")
	log("after a state that was too large")

	// A reader keeps the log as it is until it has gone.
	must(small())
	reader, err := sql.Open("sqlite", file)
	must(err)
	tx, err := reader.Begin()
	must(err)
	must(tx.QueryRow("SELECT count(*) FROM agent_checkpoints").Scan(new(int)))
	tooLarge("too large beside a reader")
	must(tx.Rollback())
	must(reader.Close())
	must(small())
	log("after the reader")
	for range 60 {
		must(small())
	}
	must(b.Close())
	b = childOpen(file)
	for i := range n {
		c, err := b.Load(ctx, driver.LoadRequest{Key: key(fmt.Sprint("thread-", i)), Now: now})
		must(err)
		if string(c.Payload) != state {
			must(errors.New("a state is not what was saved"))
		}
	}
	must(b.Close())
	say("all small states are there")
}

func fullChild(args []string) {
	dir := args[0]
	if !mountSmall(dir, "4m") {
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
	var err error
	for ; err == nil; n++ {
		if _, err = b.Save(ctx, request(thread(n), state(n))); err == nil {
			acknowledged[n] = true
		}
	}
	say("full: %s", inGeneral(err, file))

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
				failures[inGeneral(err, file)] = true
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
