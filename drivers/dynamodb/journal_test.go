package dynamodb

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
)

// inside returns an operation under way.
func inside(t testing.TB, b driver.Backend) *operation {
	t.Helper()
	s, err := b.(*backend).begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.end() // it takes no place in the queue
	return s
}

func mustHead(t testing.TB, s *operation, thread string) *item {
	t.Helper()
	head, err := s.head(t.Context(), driver.Key{Namespace: "agents", Thread: thread})
	if err != nil || head == nil {
		t.Fatalf("the head of %q: %v, %v", thread, head, err)
	}
	return head
}

// mustHold checks that exactly these versions can be listed and loaded.
func mustHold(t testing.TB, b driver.Backend, thread string, versions ...int64) {
	t.Helper()
	if got := versionsOf(t, b, thread); fmt.Sprint(got) != fmt.Sprint(versions) {
		t.Errorf("History = %d, want %d", got, versions)
	}
	for _, v := range versions {
		if _, err := b.Load(t.Context(), driver.LoadRequest{Key: driver.Key{Namespace: "agents", Thread: thread}, Version: v, Now: testNow}); err != nil {
			t.Errorf("Load of version %d = %v", v, err)
		}
	}
}

// TestJournalOfTheSameLife: whoever finishes a journal late leaves alone what the
// head refers to by then.
func TestJournalOfTheSameLife(t *testing.T) {
	credentials(t)
	_, _, b := behind(t)
	s := inside(t, b)
	for range 5 {
		mustSave(t, b, request("t", "x", 3))
	}
	late := mustHead(t, s, "t")
	j := &journal{Key: late.Key}
	j.drops(late)
	if err := s.open(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		mustSave(t, b, request("t", "x", 3))
	}
	if err := s.finish(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	mustHold(t, b, "t", 7, 6, 5)

	// The same by way of a deletion that was overtaken.
	again, err := s.removeThread(t.Context(), late, false)
	if err != nil || !again {
		t.Fatalf("removal by a head that is no more = %v, %v, want another attempt", again, err)
	}
	mustHold(t, b, "t", 7, 6, 5)
	if err := b.Delete(t.Context(), driver.DeleteRequest{Key: late.Key}); err != nil {
		t.Fatal(err)
	}
	if n := countItems(t, b); n != 0 {
		t.Errorf("%d items are left", n)
	}
}

// TestJournalOfTheHead: a copy of the head may be about to become an older
// version. It is removed once the head has moved on without it.
func TestJournalOfTheHead(t *testing.T) {
	credentials(t)
	_, _, b := behind(t)
	s := inside(t, b)
	first := mustSave(t, b, request("t", "x", 1))
	head := mustHead(t, s, "t")
	j := &journal{Key: head.Key, Life: head.life, From: 1, To: 1, Latest: 1}
	if err := s.open(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	next := &item{Info: newInfo(request("t", "y", 2)), payload: []byte("y"), life: head.life}
	next.Version = 2
	if _, _, err := s.supersede(t.Context(), head, next, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := s.putOlder(t.Context(), head); err != nil {
		t.Fatal(err)
	}
	finishJournals(t, b)
	if err := s.putHead(t.Context(), head, next); err != nil {
		t.Fatal(err)
	}
	mustHold(t, b, "t", 2, 1)
	if err := b.Delete(t.Context(), driver.DeleteRequest{Key: first.Key}); err != nil {
		t.Fatal(err)
	}
	finishJournals(t, b)
	if n := countItems(t, b); n != 0 {
		t.Errorf("%d items are left", n)
	}
}

// TestLifeOfAnIdSavedAgain: an id that is saved again after a deletion starts
// another life, which what the first has left does not touch.
func TestLifeOfAnIdSavedAgain(t *testing.T) {
	credentials(t)
	_, _, b := behind(t)
	s := inside(t, b)
	for _, keep := range []int{1, 3} {
		thread := fmt.Sprint("t", keep)
		req := request(thread, "x", keep)
		mustSave(t, b, req)
		mustSave(t, b, request(thread, "y", 3))
		deleted := mustHead(t, s, thread)
		j := &journal{Key: deleted.Key}
		j.drops(deleted)
		if err := b.Delete(t.Context(), driver.DeleteRequest{Key: req.Key}); err != nil {
			t.Fatal(err)
		}
		mustSave(t, b, req)
		mustSave(t, b, request(thread, "y", 3))
		mustSave(t, b, request(thread, "y", 3))
		if err := s.clean(t.Context(), j); err != nil { // of a deletion that takes long
			t.Fatal(err)
		}
		mustHold(t, b, thread, 3, 2, 1)
	}
}

// TestOvertakenByRewrite: a save that read the head before Rewrite changed it, and
// comes to store it as an older version after others have, changes nothing.
func TestOvertakenByRewrite(t *testing.T) {
	credentials(t)
	_, _, b := behind(t)
	s := inside(t, b)
	large := strings.Repeat("x", 400<<10)
	for name, rewrites := range map[string]int{"once": 1, "twice": 2} {
		t.Run(name, func(t *testing.T) {
			first := mustSave(t, b, request(name, large, 3))
			var late *item
			for n := range rewrites {
				late = mustHead(t, s, name)
				if err := b.(driver.Rewriter).Rewrite(t.Context(), driver.RewriteRequest{Key: first.Key, Version: 1, ID: first.ID, Payload: []byte(fmt.Sprint(large, n)), Encoding: "bytes", Now: testNow}); err != nil {
					t.Fatal(err)
				}
			}
			mustSave(t, b, request(name, "y", 3))
			next := &item{Info: newInfo(request(name, "z", 3)), payload: []byte("z"), life: late.life}
			next.Version = 2
			if begun, err := s.replace(t.Context(), late, next, 3); err != nil || begun == nil {
				t.Errorf("the late save = %v, %v, want another attempt", begun, err)
			} else if _, err := s.startOver(t.Context(), begun, 0); err != nil {
				t.Fatal(err)
			}
			mustHold(t, b, name, 2, 1)
			cp, err := b.Load(t.Context(), driver.LoadRequest{Key: first.Key, Version: 1, Now: testNow})
			if err != nil || string(cp.Payload) != fmt.Sprint(large, rewrites-1) {
				t.Errorf("version 1 has %d bytes, %v, want what was written last", len(cp.Payload), err)
			}
		})
	}
}

// TestDeleteAfterACopy: a save that died has left a copy of a head that is in
// parts, so that the parts are named twice, which DynamoDB refuses in one request.
func TestDeleteAfterACopy(t *testing.T) {
	credentials(t)
	_, _, b := behind(t)
	s := inside(t, b)
	large := strings.Repeat("x", maxInline+1)
	for range 2 {
		mustSave(t, b, request("t", large, 3))
	}
	head := mustHead(t, s, "t")
	if err := s.write(t.Context(), []types.WriteRequest{put(head.stored(versionKey(head.life, head.Version)))}); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(t.Context(), driver.DeleteRequest{Key: head.Key}); err != nil {
		t.Fatal(err)
	}
	if n := countItems(t, b); n != 0 {
		t.Errorf("%d items are left", n)
	}
}
