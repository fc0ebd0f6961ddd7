package checkpointtest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/jsonvalue"
)

// The methods here call the backend for a case that expects success, and
// compare. Those that end the case on failure are for what the case builds on.

// save saves, or ends the case.
func (t *trial) save(b driver.Backend, req driver.SaveRequest) driver.Info {
	info, err := b.Save(t.ctx, req)
	if err != nil {
		t.Fatalf("Save(%s): error %v, want success", showSave(req), err)
	}
	return info
}

// saveConflict makes a save that must conflict, and returns the checkpoint that
// it met. It ends the case if the error is another one or none.
func (t *trial) saveConflict(b driver.Backend, req driver.SaveRequest) driver.Info {
	info, err := b.Save(t.ctx, req)
	conflict, ok := errors.AsType[*driver.ConflictError](err)
	switch {
	case err == nil:
		t.Fatalf("Save(%s) = %s, want a conflict", showSave(req), show(info))
	case !ok || !errors.Is(err, driver.ErrConflict):
		t.Fatalf("Save(%s): error %v, want a *driver.ConflictError", showSave(req), err)
	}
	return conflict.Current
}

// load loads the latest checkpoint at t.now, or ends the case.
func (t *trial) load(b driver.Backend, thread string) driver.Checkpoint {
	return t.loadVersion(b, thread, 0, t.now)
}

// loadVersion loads, or ends the case.
func (t *trial) loadVersion(b driver.Backend, thread string, version int64, now time.Time) driver.Checkpoint {
	c, err := b.Load(t.ctx, driver.LoadRequest{Key: t.key(thread), Version: version, Now: now})
	if err != nil {
		t.Fatalf("Load(%q version=%d now=%s): error %v, want success", thread, version, clock(now), err)
	}
	return c
}

// missing checks that a load finds nothing.
func (t *trial) missing(b driver.Backend, thread string, version int64, now time.Time) {
	c, err := b.Load(t.ctx, driver.LoadRequest{Key: t.key(thread), Version: version, Now: now})
	if !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("Load(%q version=%d now=%s) = %s, %v, want ErrNotFound", thread, version, clock(now), show(c.Info), err)
	}
}

// latest checks that the latest checkpoint of a thread is the one with that
// version and id.
func (t *trial) latest(b driver.Backend, thread string, version int64, id string) {
	c, err := b.Load(t.ctx, driver.LoadRequest{Key: t.key(thread), Now: t.now})
	if err != nil || c.Version != version || c.ID != id {
		t.Errorf("Load(%q) = %s, %v, want version %d with id %s", thread, show(c.Info), err, version, id)
	}
}

// remove deletes, or ends the case.
func (t *trial) remove(b driver.Backend, thread string) {
	if err := b.Delete(t.ctx, driver.DeleteRequest{Key: t.key(thread)}); err != nil {
		t.Fatalf("Delete(%q): error %v, want success", thread, err)
	}
}

// historyOf returns the kept versions at t.now, or ends the case.
func (t *trial) historyOf(b driver.Backend, thread string) []driver.Info {
	return t.historyPage(b, driver.HistoryRequest{Key: t.key(thread), Now: t.now})
}

// historyPage returns what a history yields, or ends the case.
func (t *trial) historyPage(b driver.Backend, req driver.HistoryRequest) []driver.Info {
	var infos []driver.Info
	for info, err := range b.History(t.ctx, req) {
		if err != nil {
			t.Fatalf("History(%q before=%d limit=%d) yielded error %v after %d versions, want none", req.Thread, req.Before, req.Limit, err, len(infos))
		}
		infos = append(infos, info)
	}
	return infos
}

// versions checks that a history holds exactly these versions, in this order.
func (t *trial) versions(b driver.Backend, thread string, want ...int64) {
	if got := versionsOf(t.historyOf(b, thread)); !slices.Equal(got, want) {
		t.Errorf("History(%q) yielded versions %d, want %d", thread, got, want)
	}
}

func versionsOf(infos []driver.Info) []int64 {
	versions := make([]int64, len(infos))
	for i, info := range infos {
		versions[i] = info.Version
	}
	return versions
}

// listed returns what a list of the trial's namespace yields, or ends the case.
func (t *trial) listed(b driver.Backend, req driver.ListRequest) []driver.Info {
	if req.Namespace == "" {
		req.Namespace = t.namespace
	}
	if req.Now.IsZero() {
		req.Now = t.now
	}
	var infos []driver.Info
	for info, err := range b.List(t.ctx, req) {
		if err != nil {
			t.Fatalf("List(prefix=%q after=%q limit=%d) yielded error %v after %d threads, want none", req.Prefix, req.After, req.Limit, err, len(infos))
		}
		infos = append(infos, info)
	}
	return infos
}

// names checks that a list yields exactly these threads, in this order.
func (t *trial) names(b driver.Backend, req driver.ListRequest, want ...string) {
	got := t.listed(b, req)
	if names := namesOf(got); !slices.Equal(names, want) {
		t.Errorf("List(prefix=%q after=%q limit=%d) yielded %s", req.Prefix, req.After, req.Limit, diffNames(names, want))
	}
}

// nameSet checks that a list yields exactly these threads. It is for cases that
// are not about the order.
func (t *trial) nameSet(b driver.Backend, req driver.ListRequest, want []string) {
	got, want := namesOf(t.listed(b, req)), slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("List(prefix=%.100q after=%.100q limit=%d) yielded, sorted, %s", req.Prefix, req.After, req.Limit, diffNames(got, want))
	}
}

func namesOf(infos []driver.Info) []string {
	names := make([]string, len(infos))
	for i, info := range infos {
		names[i] = info.Thread
	}
	return names
}

// diffNames says what got is and where it leaves want.
func diffNames(got, want []string) string {
	if len(want) <= 12 && len(got) <= 12 {
		return fmt.Sprintf("%q, want %q", got, want)
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	at := func(names []string) string {
		if i < len(names) {
			return fmt.Sprintf("%q", names[i])
		}
		return "the end"
	}
	return fmt.Sprintf("%d threads, want %d; at index %d it yielded %s, want %s", len(got), len(want), i, at(got), at(want))
}

// same checks that two calls gave the same Info.
func (t *trial) same(call string, got, want driver.Info) {
	if diff := difference(got, want); diff != "" {
		t.Errorf("%s: %s", call, diff)
	}
}

// difference shows got and want where they differ, or returns "". Times are compared
// as moments, and a nil map is an empty one.
func difference(got, want any) string {
	text := cmp.Diff(want, got, cmpopts.EquateEmpty())
	if text == "" {
		return ""
	}
	const long = 3000
	if len(text) > long {
		text = strings.ToValidUTF8(text[:long], "") + "…\n"
	}
	return "got other than want (-want +got):\n" + text
}

// diffBytes says where got leaves want, or returns "".
func diffBytes(got, want []byte) string {
	if bytes.Equal(got, want) {
		return ""
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	around := func(b []byte) string {
		from := max(0, min(i-10, len(b)))
		return fmt.Sprintf("%q", b[from:min(len(b), i+30)])
	}
	return fmt.Sprintf("%d bytes, want %d; they part at byte %d: got …%s…, want …%s…", len(got), len(want), i, around(got), around(want))
}

// diffJSON says in what got is another JSON value than want, or returns "".
func diffJSON(got, want []byte) string {
	if bytes.Equal(got, want) {
		return ""
	}
	g, err := jsonvalue.Canonical(got)
	if err != nil {
		return fmt.Sprintf("got %.80q: %v", got, err)
	}
	w, err := jsonvalue.Canonical(want)
	if err != nil {
		return fmt.Sprintf("the suite's own value %.80q: %v", want, err)
	}
	return diffBytes([]byte(g), []byte(w))
}
