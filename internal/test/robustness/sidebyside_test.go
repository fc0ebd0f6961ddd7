package robustness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// TestSideBySide does the same random operations on each system and on the
// memory driver and compares the answers: infos, payloads, pages, errors.
// -rapid.checks sets the number of sequences, -rapid.seed repeats them.
func TestSideBySide(t *testing.T) {
	eachSystem(t, func(t *testing.T, d *deployment) {
		b := d.handle(t)
		if err := b.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		sequence := 0
		rapid.Check(t, func(rt *rapid.T) {
			sequence++
			p := &pair{
				T: rt, ctx: t.Context(), want: memory.New(), got: b, indexLag: d.indexLag,
				prefix: fmt.Sprintf("side-%d-", sequence),
				now:    time.Now().UTC().Add(2 * time.Hour).Truncate(time.Microsecond),
			}
			rt.Repeat(map[string]func(*rapid.T){
				"save": p.save, "load": p.load, "delete": p.delete, "list": p.list, "history": p.history,
				"import": p.importCheckpoint, "rewrite": p.rewrite, "purge": p.purge, "clock": p.clock,
				"repeat": p.repeat, "find": p.find, "patch": p.patch, "versions": p.versions, "prefix": p.deletePrefix,
			})
		})
		proved(t, "sidebyside", d.driver, fmt.Sprintf("%d sequences of operations", sequence), 0)
	})
}

// A pair is the memory driver and another, and the two namespaces they work on.
type pair struct {
	*rapid.T
	ctx       context.Context
	want, got driver.Backend
	indexLag  bool
	prefix    string
	now       time.Time
	saves     int
	last      *driver.PatchRequest // a Save where Base is 0
	ids       []string
}

var (
	sideThreads  = []string{"a", "ab", "a%", "a_", "a*", `a\`, "ä", "a\u0308", "B", "b'\"", "{b}:#", "🙂", "\U0010ffff", "\x01\n"}
	sidePrefixes = []string{"", "", "a", "a%", "_", "*", "\xc3", "b", "{", "🙂", "\xff", "\U0010ffff", "\x01"}
	sideStates   = []string{`{}`, `null`, `"\u0000 \ud800"`, `[1e400,0.1,12345678901234567890123456789012345678]`, `{"b":[],"a":{"":""}}`, `"\u2028é"`}
	sideMetadata = []map[string]string{nil, {}, {"k": "v"}, {"ü'": "\n%", "\\": "{}"}, {"k": ""}}
)

func (p *pair) key(t *rapid.T) driver.Key {
	return driver.Key{Namespace: p.prefix + rapid.SampledFrom([]string{"a", "A"}).Draw(t, "namespace"), Thread: rapid.SampledFrom(sideThreads).Draw(t, "thread")}
}

func (p *pair) newID() string {
	p.saves++
	id := fmt.Sprintf("%s%d", p.prefix, p.saves)
	p.ids = append(p.ids, id)
	return id
}

func (p *pair) expiry(t *rapid.T) time.Time {
	if d := rapid.SampledFrom([]time.Duration{0, 0, time.Minute, 2 * time.Hour}).Draw(t, "ttl"); d > 0 {
		return p.now.Add(d)
	}
	return time.Time{}
}

func payload(t *rapid.T) (string, []byte) {
	if rapid.Bool().Draw(t, "bytes") {
		return "bytes", rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "payload")
	}
	return "json", []byte(rapid.SampledFrom(sideStates).Draw(t, "state"))
}

func (p *pair) save(t *rapid.T) {
	req := driver.SaveRequest{Key: p.key(t), ID: p.newID(), Now: p.now, ExpiresAt: p.expiry(t), Keep: rapid.SampledFrom([]int{1, 3, driver.KeepAll}).Draw(t, "keep")}
	req.Metadata = rapid.SampledFrom(sideMetadata).Draw(t, "metadata")
	req.Encoding, req.Payload = payload(t)
	if rapid.IntRange(0, 4).Draw(t, "another's id") == 0 {
		req.ID = p.someID(t, req.Key)
	}
	if req.Match = p.match(t, req.Key); rapid.IntRange(0, 6).Draw(t, "absent") == 0 {
		req.Match = driver.Match{Absent: true}
	}
	if _, ok := p.got.(driver.Patcher); ok && rapid.IntRange(0, 2).Draw(t, "digest") > 0 {
		req.Digest = "digest-" + req.ID
	}
	p.last = &driver.PatchRequest{SaveRequest: req}
	p.repeat(t)
}

// repeat does the last save again.
func (p *pair) repeat(t *rapid.T) {
	if p.last == nil {
		return
	}
	if p.last.Base != 0 {
		p.repeatPatch(t)
		return
	}
	want, wantErr := p.want.Save(p.ctx, p.last.SaveRequest)
	got, gotErr := p.got.Save(p.ctx, p.last.SaveRequest)
	same(t, fmt.Sprintf("Save(%v, match %+v)", p.last, p.last.Match), shown(got, gotErr), shown(want, wantErr))
}

func (p *pair) load(t *rapid.T) {
	req := driver.LoadRequest{Key: p.key(t), Now: p.now, Version: rapid.Int64Range(0, 5).Draw(t, "version")}
	p.compareLoad(t, req)
}

func (p *pair) compareLoad(t *rapid.T, req driver.LoadRequest) {
	want, wantErr := p.want.Load(p.ctx, req)
	got, gotErr := p.got.Load(p.ctx, req)
	same(t, fmt.Sprintf("Load(%+v)", req), shown(got.Info, gotErr), shown(want.Info, wantErr))
	if wantErr == nil {
		same(t, fmt.Sprintf("payload of Load(%+v)", req), fingerprint(got.Encoding, got.Payload), fingerprint(want.Encoding, want.Payload))
		same(t, fmt.Sprintf("links of Load(%+v)", req), shownLinks(got), shownLinks(want))
	}
}

func (p *pair) list(t *rapid.T) {
	if p.indexLag {
		return
	}
	req := driver.ListRequest{
		Namespace: p.key(t).Namespace, Now: p.now, Limit: rapid.IntRange(0, 3).Draw(t, "limit"),
		Prefix: rapid.SampledFrom(sidePrefixes).Draw(t, "prefix"),
		After:  rapid.SampledFrom(append(sidePrefixes, sideThreads...)).Draw(t, "after"),
	}
	want, wantErr := collect(p.want.List(p.ctx, req))
	got, gotErr := collect(p.got.List(p.ctx, req))
	same(t, fmt.Sprintf("List(%+v)", req), shownAll(got, gotErr), shownAll(want, wantErr))
}

func (p *pair) history(t *rapid.T) {
	req := driver.HistoryRequest{
		Key: p.key(t), Now: p.now, Limit: rapid.IntRange(0, 3).Draw(t, "limit"),
		Before: rapid.Int64Range(0, 5).Draw(t, "before"),
	}
	want, wantErr := collect(p.want.History(p.ctx, req))
	got, gotErr := collect(p.got.History(p.ctx, req))
	same(t, fmt.Sprintf("History(%+v)", req), shownAll(got, gotErr), shownAll(want, wantErr))
}

func (p *pair) importCheckpoint(t *rapid.T) {
	importer, ok := p.got.(driver.Importer)
	if !ok {
		return
	}
	req := driver.ImportRequest{Now: p.now, Keep: rapid.SampledFrom([]int{1, 3, driver.KeepAll}).Draw(t, "keep")}
	req.Key, req.ID = p.key(t), p.newID()
	req.Version = rapid.Int64Range(1, 6).Draw(t, "version")
	if cp, err := p.want.Load(p.ctx, driver.LoadRequest{Key: req.Key, Now: p.now}); err == nil && rapid.IntRange(0, 3).Draw(t, "again") == 0 {
		req.ID, req.Version = cp.ID, cp.Version
	}
	req.CreatedAt = p.now.Add(-time.Hour)
	req.SavedAt = p.now.Add(-time.Minute)
	req.ExpiresAt = p.expiry(t)
	req.Metadata = rapid.SampledFrom(sideMetadata).Draw(t, "metadata")
	req.Encoding, req.Payload = payload(t)
	req.Size = len(req.Payload)
	wantErr := p.want.(driver.Importer).Import(p.ctx, req)
	gotErr := importer.Import(p.ctx, req)
	same(t, fmt.Sprintf("Import(%v, keep %d)", req.Checkpoint, req.Keep), class(gotErr), class(wantErr))
}

func (p *pair) rewrite(t *rapid.T) {
	rewriter, ok := p.got.(driver.Rewriter)
	if !ok || len(p.ids) == 0 {
		return
	}
	req := driver.RewriteRequest{Key: p.key(t), Version: 1, ID: rapid.SampledFrom(p.ids).Draw(t, "id"), Now: p.now}
	if cp, err := p.want.Load(p.ctx, driver.LoadRequest{Key: req.Key, Now: p.now}); err == nil && rapid.IntRange(0, 3).Draw(t, "hit") > 0 {
		req.ID, req.Version = cp.ID, cp.Version
	}
	req.Encoding, req.Payload = payload(t)
	p.rewriteChain(t, &req)
	wantErr := p.want.(driver.Rewriter).Rewrite(p.ctx, req)
	gotErr := rewriter.Rewrite(p.ctx, req)
	same(t, fmt.Sprintf("Rewrite(%v)", req), class(gotErr), class(wantErr))
	p.compareLoad(t, driver.LoadRequest{Key: req.Key, Version: req.Version, Now: p.now})
}

func (p *pair) purge(t *rapid.T) {
	purger, ok := p.got.(driver.Purger)
	if !ok {
		return
	}
	ns := p.key(t).Namespace
	want, wantErr := p.want.(driver.Purger).Purge(p.ctx, ns, p.now)
	got, gotErr := purger.Purge(p.ctx, ns, p.now)
	same(t, "Purge("+ns+")", fmt.Sprint(got, gotErr), fmt.Sprint(want, wantErr))
	p.namespaces(t)
}

// namespaces may include those without a live thread.
func (p *pair) namespaces(t *rapid.T) {
	lister, ok := p.got.(driver.NamespaceLister)
	if !ok || p.indexLag {
		return
	}
	var got []string
	for ns, err := range lister.Namespaces(p.ctx) {
		if err != nil {
			t.Fatalf("Namespaces: %v", err)
		}
		got = append(got, ns)
	}
	if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Fatalf("Namespaces() = %q, want each once in ascending order", got)
	}
	for ns, err := range p.want.(driver.NamespaceLister).Namespaces(p.ctx) {
		live, _ := collect(p.want.List(p.ctx, driver.ListRequest{Namespace: ns, Limit: 1, Now: p.now}))
		if err == nil && len(live) > 0 && !slices.Contains(got, ns) {
			t.Fatalf("Namespaces() = %q, want %q among them", got, ns)
		}
	}
}

// clock moves time on, and sometimes back.
func (p *pair) clock(t *rapid.T) {
	p.now = p.now.Add(rapid.SampledFrom([]time.Duration{time.Microsecond, time.Second, 90 * time.Second, time.Hour, -time.Second}).Draw(t, "step"))
}

func same(t *rapid.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Fatalf("%s\ngot  %s\nwant %s, as the memory driver", what, got, want)
	}
}

// shown is an answer as text that can be compared.
func shown(i driver.Info, err error) string {
	var conflict *driver.ConflictError
	if errors.As(err, &conflict) {
		return "conflict with " + shown(conflict.Current, nil)
	}
	if err != nil {
		return class(err)
	}
	keys := slices.Sorted(maps.Keys(i.Metadata))
	var metadata []string
	for _, k := range keys {
		metadata = append(metadata, fmt.Sprintf("%q=%q", k, i.Metadata[k]))
	}
	return fmt.Sprintf("%q %q %s version %d, %d bytes of %s, base %d, %s created %v saved %v expires %v", i.Namespace, i.Thread, i.ID, i.Version, i.Size, i.Encoding, i.Base,
		metadata, i.CreatedAt, i.SavedAt, i.ExpiresAt)
}

func shownAll(infos []driver.Info, err error) string {
	var lines []string
	for _, i := range infos {
		lines = append(lines, shown(i, nil))
	}
	return class(err) + " " + strings.Join(lines, "; ")
}

// class is which of the errors of the contract an error is.
func class(err error) string {
	if err == nil {
		return "ok"
	}
	for _, known := range []error{driver.ErrNotFound, driver.ErrConflict, driver.ErrInvalid, driver.ErrTooLarge, driver.ErrCorrupt, driver.ErrUnavailable, driver.ErrClosed, driver.ErrBase} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}
