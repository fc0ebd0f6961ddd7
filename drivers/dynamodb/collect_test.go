package dynamodb

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
)

// orphans writes what a removal left behind that took the version items first: parts,
// markers, and the copy of a head that came too late. It returns how many items.
func orphans(t testing.TB, b driver.Backend, n int) int {
	t.Helper()
	var requests []types.WriteRequest
	for range n {
		i := &item{Info: newInfo(request("gone", "x", 3)), payload: []byte("x")}
		requests = append(requests, i.split(true)...) // nobody names it
		late := &item{Info: i.Info, payload: i.payload}
		requests = append(requests, late.split(true)...)
		life := rand.Text()
		requests = append(requests, put(late.stored(versionKey(life, 7))), put(marker(life, i.ID, 7)))
	}
	if err := inside(t, b).write(t.Context(), requests); err != nil {
		t.Fatal(err)
	}
	return len(requests)
}

func mustCollect(t testing.TB, b driver.Backend, dryRun bool, limit, want int) {
	t.Helper()
	n, err := b.(*backend).collect(t.Context(), driver.CollectRequest{DryRun: dryRun}, limit)
	if err != nil || n != int64(want) {
		t.Errorf("Collect (dry run %v) = %d, %v, want %d", dryRun, n, err, want)
	}
}

// TestCollect removes what nothing names, as many at a time as the limit says, and
// nothing of threads in any state: with a history, in parts, with chains, expired, of
// another program, in another namespace, and what the journal of a dead writer names.
func TestCollect(t *testing.T) {
	credentials(t)
	_, _, b := behind(t)
	large := strings.Repeat("y", maxInline+1)
	mustSave(t, b, request("small", "y", 1))
	mustSave(t, b, request("parts", large, 1))
	seedVersions(t, b, "chains", secondBase+2, 3, true)
	seedVersions(t, b, "history", 14, 14, false) // expires
	other := request("ckpt#c#"+rand.Text()+"#000000", large, 2)
	other.Namespace = "other"
	for range 3 {
		other.ID = rand.Text()
		mustSave(t, b, other)
	}
	foreign := keyOf("of another program")
	foreign["state"], foreign["chunks"] = str(`{"a":1}`), num(3)
	alike := keyOf("ckpt#c#short#000000")
	alike["state"] = str("{}")
	dead := &item{Info: newInfo(request("dead", large, 3)), payload: []byte(large)}
	parts := dead.split(true)
	j := &journal{Key: dead.Key, Chunks: []chunkSet{{dead.chunks, dead.parts}}, Life: rand.Text(), From: 1, To: 1, Latest: 1}
	if err := inside(t, b).open(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if err := inside(t, b).write(t.Context(), append(parts, put(foreign), put(alike), put(dead.stored(versionKey(j.Life, 1))))); err != nil {
		t.Fatal(err)
	}
	all := countItems(t, b)

	mustCollect(t, b, false, maxUnnamed, 0)
	left := orphans(t, b, 3)
	mustCollect(t, b, true, maxUnnamed, left)
	if n := countItems(t, b); n != all+left {
		t.Errorf("after a dry run %d items are there, want %d", n, all+left)
	}
	mustCollect(t, b, false, maxUnnamed, left)
	orphans(t, b, 3)
	mustCollect(t, b, false, 1, left)
	mustCollect(t, b, false, maxUnnamed, 0)
	if n := countItems(t, b); n != all {
		t.Errorf("%d items are there, want the %d that are named", n, all)
	}
	for _, thread := range []string{"small", "parts", "chains", "history"} {
		if err := wholeThread(t.Context(), t, b, thread); err != nil {
			t.Errorf("%s: %v", thread, err)
		}
	}
	// What the journal names is left to Purge, and what it leaves is nothing.
	finishJournals(t, b)
	mustCollect(t, b, false, maxUnnamed, 0)
	if n, want := countItems(t, b), all-1-len(parts)-1; n != want {
		t.Errorf("after the journal was finished %d items are there, want %d", n, want)
	}
}

// TestCollectHandedOn hands a name on in each of the readings that prove that nobody
// holds it, from where that has not read yet to where it has: the state is kept.
func TestCollectHandedOn(t *testing.T) {
	credentials(t)
	_, _, direct := behind(t)
	table := direct.(*backend).cfg.Table
	large := strings.Repeat("y", maxInline+1)
	op := inside(t, direct)
	old := mustSave(t, direct, request("t", "y", 5))
	head := mustHead(t, op, "t")
	next := &item{Info: newInfo(request("t", large, 5)), payload: []byte(large), life: head.life}
	next.Version, next.first, next.ids = 2, 1, []string{old.ID}
	parts := next.split(true)
	last := &item{Info: newInfo(request("t", "z", 5)), payload: []byte("z"), life: head.life}
	last.Version, last.first, last.ids, last.large = 3, 1, []string{next.ID, old.ID}, true
	j := &journal{Key: head.Key, Chunks: []chunkSet{{next.chunks, next.parts}}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := op.putOlder(t.Context(), head)
	must(err)
	must(op.open(t.Context(), j))
	must(op.write(t.Context(), parts))

	// A reading is shown as if it had passed the next holder before it was written, and
	// came to the one before after that was removed.
	var scans int
	var hide string // the holder that is not seen
	endpoint := between(t, func(w http.ResponseWriter, action string, body []byte) bool {
		if action != "Scan" {
			return false
		}
		switch scans++; scans {
		case 1:
			hide = journalKey(j.ID) // as if it were not written yet
		case 2:
			hide = ""
		case 3: // from the journal to the head
			must(op.putHead(t.Context(), head, next))
			must(op.write(t.Context(), []types.WriteRequest{remove(journalKey(j.ID))}))
			hide = headKey(head.Key)
		case 4: // from the head to the older version
			_, err := op.putOlder(t.Context(), next)
			must(err)
			must(op.putHead(t.Context(), next, last))
			hide = versionKey(head.life, 2)
		default:
			hide = ""
		}
		answer := forward(t, action, body)
		var page map[string]any
		if err := json.Unmarshal(answer, &page); err != nil {
			t.Error(err)
		}
		var items []any
		for _, a := range page["Items"].([]any) {
			if key := a.(map[string]any)[keyAttribute].(map[string]any)["S"]; hide == "" || key != hide {
				items = append(items, a)
			}
		}
		page["Items"] = items
		answer, _ = json.Marshal(page)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.Write(answer)
		return true
	})
	mustCollect(t, openTable(t, table, endpoint, ""), false, maxUnnamed, 0)
	if scans != 2+proofs {
		t.Errorf("%d readings, want %d: the case was not tried", scans, 2+proofs)
	}
	mustHold(t, direct, "t", 3, 2, 1)
}

// TestCollectBesideSaves collects without a pause while states in parts are saved, with
// and without a history, rewritten and deleted: all that is kept can be loaded, and
// what was left before is gone.
func TestCollectBesideSaves(t *testing.T) {
	credentials(t)
	_, _, b := behind(t)
	const writers, rounds = 2, 6
	orphans(t, b, 2)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var collections atomic.Int64
	var collector sync.WaitGroup
	collector.Go(func() {
		for ctx.Err() == nil {
			if _, err := b.(*backend).collect(ctx, driver.CollectRequest{}, maxUnnamed); err != nil && ctx.Err() == nil {
				t.Errorf("Collect: %v", err)
			}
			collections.Add(1)
		}
	})
	var savers sync.WaitGroup
	for w := range writers {
		savers.Go(func() {
			thread := fmt.Sprint("t", w)
			key := driver.Key{Namespace: "agents", Thread: thread}
			for n := range rounds {
				payload := strings.Repeat("z", maxInline+1+n)
				info, err := b.Save(ctx, request(thread, payload, 1+w))
				if err != nil {
					t.Errorf("Save: %v", err)
					return
				}
				payload = strings.ToUpper(payload)
				if err := b.(driver.Rewriter).Rewrite(ctx, driver.RewriteRequest{Key: key, Version: info.Version, ID: info.ID, Payload: []byte(payload), Encoding: "bytes", Now: testNow}); err != nil {
					t.Errorf("Rewrite: %v", err)
				}
				for _, v := range versionsOf(t, b, thread) {
					cp, err := b.Load(ctx, driver.LoadRequest{Key: key, Version: v, Now: testNow})
					if err != nil || v == info.Version && string(cp.Payload) != payload {
						t.Errorf("after save %d Load of version %d = %d bytes, %v", n, v, len(cp.Payload), err)
					}
				}
				if n%3 == 2 {
					if err := b.Delete(ctx, driver.DeleteRequest{Key: key}); err != nil {
						t.Errorf("Delete: %v", err)
					}
				}
			}
		})
	}
	savers.Wait()
	stop()
	collector.Wait()
	t.Logf("%d collections beside %d saves", collections.Load(), writers*rounds)
	for w := range writers {
		if err := b.Delete(t.Context(), driver.DeleteRequest{Key: driver.Key{Namespace: "agents", Thread: fmt.Sprint("t", w)}}); err != nil {
			t.Error(err)
		}
	}
	finishJournals(t, b)
	if _, err := b.(*backend).collect(t.Context(), driver.CollectRequest{}, maxUnnamed); err != nil {
		t.Error(err)
	}
	if n := countItems(t, b); n != 0 {
		t.Errorf("%d items are left", n)
	}
}

// TestCollectRefuses: where names may be held by what cannot be read, or arrive after
// what they name, nothing is removed; and Before can prevent all of it.
func TestCollectRefuses(t *testing.T) {
	credentials(t)
	_, _, b := behind(t)
	left := orphans(t, b, 1)
	refused := func(what string, b driver.Backend, want error, text string) {
		t.Helper()
		n, err := b.(driver.Collector).Collect(t.Context(), driver.CollectRequest{})
		if n != 0 || !errors.Is(err, want) || !strings.Contains(fmt.Sprint(err), text) {
			t.Errorf("%s: Collect = %d, %v, want %v with %q", what, n, err, want, text)
		}
	}
	damaged := map[string]attributes{"runs": keyOf("t"), "chunks": keyOf(versionKey(rand.Text(), 1)), "journal": keyOf(journalKey("j")), "kind": keyOf(reserved + "z#1")}
	for what, a := range damaged {
		a["id"] = str("id")
		a[what] = num(1)
		op := inside(t, b)
		if err := op.write(t.Context(), []types.WriteRequest{put(a)}); err != nil {
			t.Fatal(err)
		}
		refused(what, b, driver.ErrCorrupt, what)
		if err := op.write(t.Context(), []types.WriteRequest{remove(a[keyAttribute].(*types.AttributeValueMemberS).Value)}); err != nil {
			t.Fatal(err)
		}
	}
	for consistency, want := range map[string]bool{"EVENTUAL": false, "STRONG": true} {
		endpoint := between(t, func(w http.ResponseWriter, action string, body []byte) bool {
			if action != "DescribeTable" {
				return false
			}
			answer := forward(t, action, body)
			answer = bytes.Replace(answer, []byte(`"Table":{`), []byte(`"Table":{"Replicas":[{"RegionName":"eu-west-1"}],"MultiRegionConsistency":"`+consistency+`",`), 1)
			w.Header().Set("Content-Type", "application/x-amz-json-1.0")
			w.Write(answer)
			return true
		})
		replicated := openTable(t, b.(*backend).cfg.Table, endpoint, "")
		if want {
			mustCollect(t, replicated, true, maxUnnamed, left)
		} else {
			refused("replicas", replicated, driver.ErrInvalid, "replicas")
		}
	}
	stop := errors.New("too dear")
	n, err := b.(driver.Collector).Collect(t.Context(), driver.CollectRequest{Before: func(p driver.CollectPlan) error {
		if p.Bytes < 100 || !strings.Contains(p.Cost, "read units") {
			t.Errorf("plan %+v, want the bytes and the units of the table", p)
		}
		return stop
	}})
	if n != 0 || !errors.Is(err, stop) {
		t.Errorf("Collect = %d, %v, want Before's error", n, err)
	}
	if n := countItems(t, b); n != left {
		t.Errorf("%d items are there, want %d", n, left)
	}
}

// TestCollectEveryCrash ends the process after each request: another run does the rest.
func TestCollectEveryCrash(t *testing.T) {
	credentials(t)
	_, _, b := behind(t)
	table := b.(*backend).cfg.Table
	for _, partial := range []bool{false, true} {
		for k := 1; ; k++ {
			orphans(t, b, 2)
			c := &crash{left: k, partial: partial}
			_, err := crashing(t, table, c).(driver.Collector).Collect(t.Context(), driver.CollectRequest{})
			if _, again := b.(driver.Collector).Collect(t.Context(), driver.CollectRequest{}); again != nil {
				t.Fatal(again)
			}
			if n := countItems(t, b); n != 0 {
				t.Fatalf("after request %d (partial %v): %d items are left", k, partial, n)
			}
			if !c.reached {
				if err != nil {
					t.Errorf("without a crash: %v", err)
				}
				break
			}
		}
	}
}
