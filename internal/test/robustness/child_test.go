package robustness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-ckpt/checkpoint"
)

// The environment of a child process.
const (
	childRole   = "CHECKPOINT_PROOF_ROLE"
	childDriver = "CHECKPOINT_PROOF_DRIVER"
	childDSN    = "CHECKPOINT_PROOF_DSN"
	childRun    = "CHECKPOINT_PROOF_RUN"
)

// child is what this binary does in place of tests when it is started to be
// killed. It reports what was acknowledged on the standard output, and what it
// cannot do on the standard error.
func child(role string) int {
	run, _ := strconv.Atoi(os.Getenv(childRun))
	var out sync.Mutex
	say := func(format string, args ...any) {
		out.Lock()
		defer out.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	c := &victim{run: run, say: say}
	err := c.play(context.Background(), role)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

type victim struct {
	run   int
	say   func(format string, args ...any)
	store *checkpoint.Store

	patching *checkpoint.Store // the same one, saving incrementally
}

func (c *victim) play(ctx context.Context, role string) error {
	b, err := open(os.Getenv(childDriver), os.Getenv(childDSN))
	if err != nil {
		return err
	}
	c.store = crashStore(b, "saves", crashNow)
	c.patching = crashStore(b, "saves", crashNow, checkpoint.WithIncremental())
	if role == "migrate" {
		c.say("begun")
		store := checkpoint.New(b)
		_, err := store.Save(ctx, "first", 1)
		if err == nil {
			c.say("saved first")
			time.Sleep(time.Minute)
		}
		return err
	}
	if err := c.store.Ping(ctx); err != nil {
		return err
	}
	c.say("begun")
	failed := make(chan error)
	for _, work := range []func(context.Context) error{
		c.save("a", c.store), c.save("b", c.patching), c.append, c.copy, c.rekey, c.purge, c.delete, c.deletePrefix,
	} {
		go func() {
			err := work(ctx)
			for errors.Is(err, checkpoint.ErrUnavailable) { // too many connections of the dead, which the server has not noticed
				time.Sleep(10 * time.Millisecond)
				err = work(ctx)
			}
			if err != nil {
				failed <- err
			}
		}()
	}
	select {
	case err := <-failed:
		return err
	case <-time.After(time.Minute):
		return errors.New("nobody killed me")
	}
}

// save saves threads of its own for ever; the number of each state is its
// version.
func (c *victim) save(who string, store *checkpoint.Store) func(context.Context) error {
	return func(ctx context.Context) error {
		for i := 0; ; i++ {
			thread := fmt.Sprintf("%s-%d", who, i%3)
			last, err := store.Stat(ctx, thread)
			if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
				return err
			}
			n := int(last.Version) + 1
			condition := checkpoint.IfAbsent()
			if n > 1 {
				condition = checkpoint.IfMatch(last.ID)
			}
			c.say("saving %s %d", thread, n)
			info, err := store.Save(ctx, thread, state{N: n, Pad: strings.Repeat("x", padding(n))}, condition)
			if errors.Is(err, checkpoint.ErrConflict) {
				continue // with the save of a process that was killed before
			}
			if err != nil {
				return err
			}
			c.say("saved %s %d %s", thread, info.Version, info.ID)
		}
	}
}

// append appends to one log for ever, as every process before it did; the id of
// each event names its version.
func (c *victim) append(ctx context.Context) error {
	log := crashLog(c.store)
	for {
		last, err := log.Stat(ctx, "events")
		if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
			return err
		}
		n := last.Version + 1
		c.say("appending %d", n)
		_, err = log.Save(ctx, "events", event(n), checkpoint.WithID(eventID(n)), checkpoint.IfVersion(last.Version))
		if errors.Is(err, checkpoint.ErrConflict) {
			continue // with the append of a process that was killed before
		}
		if err != nil {
			return err
		}
		c.say("appended %d", n)
	}
}

func (c *victim) copy(ctx context.Context) error {
	_, err := checkpoint.Copy(ctx, c.store.Namespace(fmt.Sprint("copy-", c.run)), copySource(ctx), checkpoint.CopyOptions{History: true})
	return err
}

func (c *victim) rekey(ctx context.Context) error {
	for i := c.run; ; i++ {
		b, err := open(os.Getenv(childDriver), os.Getenv(childDSN))
		if err != nil {
			return err
		}
		store := checkpoint.New(b, checkpoint.WithNamespace("rekey"), checkpoint.WithEncryption(crashKeys(i)), checkpoint.WithClock(func() time.Time { return crashNow }))
		_, err = checkpoint.Rekey(ctx, store, checkpoint.RekeyOptions{Concurrency: 2})
		b.Close()
		if errors.Is(err, errors.ErrUnsupported) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// purge saves threads that have expired an hour later, and purges them then.
func (c *victim) purge(ctx context.Context) error {
	b, err := open(os.Getenv(childDriver), os.Getenv(childDSN))
	if err != nil {
		return err
	}
	store, later := c.store.Namespace("purge"), crashStore(b, "purge", crashNow.Add(time.Hour))
	for i := 0; ; i++ {
		size := 10
		if i%4 == 0 {
			size = 500_000
		}
		if _, err := store.Save(ctx, fmt.Sprintf("expiring-%d-%d", c.run, i), strings.Repeat("x", size), checkpoint.ExpiresIn(time.Minute)); err != nil {
			return err
		}
		if i%10 == 9 {
			if _, err := later.Purge(ctx); err != nil && !errors.Is(err, errors.ErrUnsupported) {
				return err
			}
		}
	}
}

// delete deletes threads with large and small versions.
func (c *victim) delete(ctx context.Context) error {
	store := c.patching.Namespace("deletes")
	for i := 0; ; i++ {
		thread := fmt.Sprint("deleted-", i%4)
		for v := range keep {
			if _, err := store.Save(ctx, thread, state{N: v, Pad: strings.Repeat("x", padding(i+v))}); err != nil {
				return err
			}
		}
		if err := store.Delete(ctx, thread); err != nil {
			return err
		}
	}
}

// deletePrefix deletes threads with large and small versions, some of them on a
// condition, the others by their prefix.
func (c *victim) deletePrefix(ctx context.Context) error {
	store := c.store.Namespace("prefix")
	for i := 0; ; i++ {
		for t := range 4 {
			for v := range 1 + t {
				if _, err := store.Save(ctx, fmt.Sprint("gone/", t), state{N: v, Pad: strings.Repeat("x", padding(i+v))}); err != nil {
					return err
				}
			}
		}
		last, err := store.Stat(ctx, "gone/3")
		if err == nil {
			err = store.Delete(ctx, "gone/3", checkpoint.IfVersion(last.Version))
		}
		if err != nil && !errors.Is(err, checkpoint.ErrConflict) && !errors.Is(err, checkpoint.ErrNotFound) {
			return err // otherwise a process that was killed before has saved or deleted it meanwhile
		}
		if _, err := store.DeletePrefix(ctx, "gone/"); err != nil {
			return err
		}
	}
}
