package dynamodb

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
)

// grow saves a thread of chains: each begins with a whole state and has some patches.
func grow(t *testing.T, b driver.Backend, thread string, chains, patches, keep int) {
	t.Helper()
	for range chains {
		req := request(thread, strings.Repeat("w", 5000), keep)
		req.Digest = "whole"
		mustSave(t, b, req)
		for range patches {
			if _, err := savePatch(t.Context(), t, b, b, request(thread, "patch", keep)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestManyChains: versions of more chains than a head has runs are found, and what
// none of them needs is removed.
func TestManyChains(t *testing.T) {
	credentials(t)
	_, _, b := behind(t)
	const chains = maxRuns + 3
	grow(t, b, "t", chains, 1, driver.VersionsPage)
	if err := wholeThread(t.Context(), t, b, "t"); err != nil {
		t.Error(err)
	}
	head := mustHead(t, inside(t, b), "t")
	if len(head.runs) != maxRuns || head.Version != 2*chains {
		t.Fatalf("the head has %d runs and version %d, want %d and %d", len(head.runs), head.Version, maxRuns, 2*chains)
	}
	if needed, err := inside(t, b).needed(t.Context(), head); err != nil || needed != 1 {
		t.Errorf("needed = %d, %v, want all", needed, err)
	}
	// An earlier version of the driver, which knows of no patches, cannot put a copy of
	// the head in the place of one.
	if stale, err := inside(t, b).putOlder(t.Context(), head); err != nil || !stale {
		t.Errorf("putOlder of a patched head: %v, %v, want it refused", stale, err)
	}
	// Version 4 becomes the lowest that is kept: a patch of a chain that the head has
	// forgotten, whose whole state is version 3.
	head.first = 4
	if needed, err := inside(t, b).needed(t.Context(), head); err != nil || needed != 3 {
		t.Errorf("needed = %d, %v, want 3", needed, err)
	}
	grow(t, b, "t", 6, 1, 4)
	if err := wholeThread(t.Context(), t, b, "t"); err != nil {
		t.Error(err)
	}
	if head := mustHead(t, inside(t, b), "t"); head.swept < head.Version-4-2*sweepBatch {
		t.Errorf("of a thread at version %d, which keeps 4, everything from version %d on is stored", head.Version, head.swept)
	}
	if err := b.Delete(t.Context(), driver.DeleteRequest{Key: driver.Key{Namespace: "agents", Thread: "t"}}); err != nil {
		t.Fatal(err)
	}
	finishJournals(t, b)
	if n := countItems(t, b); n != 0 {
		t.Errorf("%d items are left", n)
	}
}

// TestLongChainsGoPieceByPiece: the save after which a whole chain is needed no more does
// not remove all of it, and the saves after it remove the rest.
func TestLongChainsGoPieceByPiece(t *testing.T) {
	credentials(t)
	b, m := metered(t, true)
	const patches, keep = 2*maxSwept + 5, 2
	grow(t, b, "t", 1, patches, keep)
	mostRequests, mostSwept := 0, int64(0)
	for i := range 16 {
		req := request("t", strings.Repeat("w", 5000), keep)
		req.Digest = "whole"
		before := max(1, mustHead(t, inside(t, b), "t").swept)
		m.requests = 0
		if i == 0 {
			mustSave(t, b, req)
		} else if _, err := savePatch(t.Context(), t, b, b, request("t", "patch", keep)); err != nil {
			t.Fatal(err)
		}
		mostRequests = max(mostRequests, m.requests)
		mostSwept = max(mostSwept, mustHead(t, inside(t, b), "t").lowest()-before)
	}
	if mostSwept != maxSwept || mostRequests > 6 {
		t.Errorf("a save removes %d versions by %d requests, want %d by 6 at most", mostSwept, mostRequests, maxSwept)
	}
	head := mustHead(t, inside(t, b), "t")
	if left := patches + 2 - head.lowest(); left > sweepBatch {
		t.Errorf("%d versions of the first chain are left, want %d at most", left, sweepBatch)
	}
	if err := wholeThread(t.Context(), t, b, "t"); err != nil {
		t.Error(err)
	}
	if err := b.Delete(t.Context(), driver.DeleteRequest{Key: driver.Key{Namespace: "agents", Thread: "t"}}); err != nil {
		t.Fatal(err)
	}
	finishJournals(t, b)
	if n := countItems(t, b); n != 0 {
		t.Errorf("%d items are left", n)
	}
}

// TestPatchLostAnswer: a patch whose answer is lost is recognised by its id, and
// reported as what it is.
func TestPatchLostAnswer(t *testing.T) {
	credentials(t)
	var lose atomic.Bool
	_, _, direct := behind(t)
	table := direct.(*backend).cfg.Table
	losing := between(t, func(w http.ResponseWriter, action string, body []byte) bool {
		if action != "TransactWriteItems" || !lose.CompareAndSwap(true, false) {
			return false
		}
		forward(t, action, body)
		fail(w, http.StatusInternalServerError, "InternalServerError")
		return true
	})
	b := openTable(t, table, losing, "")
	grow(t, b, "t", 1, 1, 1)
	lose.Store(true)
	info, err := savePatch(t.Context(), t, direct, b, request("t", "patch", 1))
	if err != nil || info.Version != 3 || info.Base != 1 || lose.Load() {
		t.Errorf("SavePatch = %+v, %v, want version 3 on base 1", info, err)
	}
	if err := wholeThread(t.Context(), t, b, "t"); err != nil {
		t.Error(err)
	}
}

// TestWithoutTransactions: on a server that has none states are saved whole, and
// nothing of the attempt is left.
func TestWithoutTransactions(t *testing.T) {
	credentials(t)
	var asked atomic.Int64
	endpoint := between(t, func(w http.ResponseWriter, action string, _ []byte) bool {
		if action == "TransactWriteItems" {
			asked.Add(1)
			fail(w, http.StatusBadRequest, "UnknownOperationException")
			return true
		}
		return false
	})
	_, _, direct := behind(t)
	b := openTable(t, direct.(*backend).cfg.Table, endpoint, "")
	req := request("t", "whole", 1)
	req.Digest = "whole"
	mustSave(t, b, req)
	for range 2 {
		if _, err := savePatch(t.Context(), t, direct, b, request("t", "patch", 1)); !errors.Is(err, driver.ErrBase) {
			t.Errorf("SavePatch: %v, want ErrBase", err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked for %d transactions, want 1", n)
	}
	mustSave(t, b, request("t", "whole", 1)) // until then a copy of the head may still be needed
	finishJournals(t, direct)
	if n := countItems(t, direct); n != 1 {
		t.Errorf("%d items are stored, want the head alone", n)
	}
}

func TestRuns(t *testing.T) {
	t.Parallel()
	runs := []run{{base: 1, last: 5}, {base: 9, last: 70, parts: chunkSet{"NAME", 6}}}
	text := formatRuns(runs)
	r := &reader{a: attributes{"runs": str(text)}}
	if got := r.runs("runs"); !reflect.DeepEqual(got, runs) || r.bad != "" {
		t.Errorf("read %q: %v, %q, want %v", text, got, r.bad, runs)
	}
	for _, bad := range []string{
		"1", "x", "1 5 NAME", "0 5", "5 5", "5 4", "1 99999999999999999", "1 5 NAME -1", "1 5 NAME 5000", "1 2\n\n3 4",
		strings.Repeat("1 2\n", maxRuns) + "1 2",
	} {
		r := &reader{a: attributes{"runs": str(bad)}}
		if got := r.runs("runs"); r.bad != "runs" {
			t.Errorf("read %q as %v, want it refused", bad, got)
		}
	}
	head := &item{runs: runs}
	for version, want := range map[int64]int64{1: 0, 2: 1, 5: 1, 6: 0, 9: 0, 10: 9, 70: 9, 71: 0} {
		if got := head.runOf(version).base; got != want {
			t.Errorf("version %d builds on %d, want %d", version, got, want)
		}
	}
}
