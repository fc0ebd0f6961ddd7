package checkpointtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
)

func listLoopBody(t *trial) {
	b := t.open()
	threads := numbered("thread", 20)
	t.populate(b, threads...)
	n := 0
	for info, err := range b.List(t.ctx, driver.ListRequest{Namespace: t.namespace, Prefix: "thread", Now: t.now}) {
		if err != nil {
			t.Fatalf("List yielded error %v after %d threads", err, n)
		}
		t.anything(b, "new-"+info.Thread)
		t.save(b, t.request(info.Thread))
		t.load(b, info.Thread)
		if n%3 == 0 {
			t.remove(b, info.Thread)
		}
		n++
	}
	if n == 0 {
		t.Errorf("the loop over %d threads did not run", len(threads))
	}
	// Loops that end early leave nothing behind that the next one needs.
	for range 100 {
		for range b.List(t.ctx, driver.ListRequest{Namespace: t.namespace, Now: t.now}) {
			break
		}
	}
	t.save(b, t.request("after"))
}

func listNested(t *trial) {
	const depth = 24 // more than the connections of a pool
	b := t.open()
	t.populate(b, numbered("thread", 3)...)
	var nest func(level int)
	nest = func(level int) {
		if level == depth {
			t.load(b, "thread-0000")
			return
		}
		for _, err := range b.List(t.ctx, driver.ListRequest{Namespace: t.namespace, Now: t.now}) {
			if err != nil {
				t.Fatalf("List in %d other loops yielded error %v", level, err)
			}
			nest(level + 1)
			return
		}
	}
	nest(0)
}

// listInFront writes in front of the thread that the loop is at, so that the number of
// threads there changes.
func listInFront(t *trial) {
	b := t.open()
	stay, gone := numbered("stay", 300), numbered("gone", 20)
	t.populate(b, append(stay, gone...)...)
	var got []string
	for info, err := range b.List(t.ctx, driver.ListRequest{Namespace: t.namespace, Now: t.now}) {
		if err != nil {
			t.Fatalf("List yielded error %v after %d threads", err, len(got))
		}
		if strings.HasPrefix(info.Thread, "stay") {
			got = append(got, info.Thread)
		}
		switch n := len(got); {
		case n > 0 && n < 100 && n%5 == 0:
			t.remove(b, gone[n/5])
		case n >= 100 && n%10 == 0:
			t.save(b, t.request(fmt.Sprint("a new one ", n)))
		}
	}
	if !slices.Equal(got, stay) {
		t.Errorf("of the threads that stayed a list beside writes in front of it yielded %s", diffNames(got, stay))
	}
}

// listWhileWriting lists while other threads come and go on both sides of those
// that stay, and these are saved too.
func listWhileWriting(t *trial) {
	b, reader := t.open(), t.open()
	stay := numbered("stay", 30)
	t.populate(b, stay...)
	t.beside(func(n int) bool {
		for _, name := range []string{"a-comes", "stay-0010-comes", "z-comes"} {
			thread := fmt.Sprintf("%s-%d", name, n%40)
			_, err := b.Save(t.ctx, t.request(thread))
			if err == nil && n%2 == 0 {
				err = b.Delete(t.ctx, driver.DeleteRequest{Key: t.key(thread)})
			}
			if err != nil {
				t.Errorf("writing: %v", err)
				return false
			}
		}
		_, err := b.Save(t.ctx, t.request(stay[n%len(stay)]))
		if err != nil {
			t.Errorf("writing: %v", err)
		}
		return err == nil
	}, func() bool {
		var got []string
		for info, err := range reader.List(t.ctx, driver.ListRequest{Namespace: t.namespace, Now: t.now}) {
			if err != nil {
				t.Errorf("List: %v", err)
				return false
			}
			if !strings.Contains(info.Thread, "comes") {
				got = append(got, info.Thread)
			}
		}
		if !slices.Equal(got, stay) {
			t.Errorf("of the threads that stayed a list during writes yielded %s", diffNames(got, stay))
			return false
		}
		return true
	})
}
