// Package golden holds one small set of checkpoints that every driver keeps a
// database of under its testdata, written by the version of the driver that
// introduced its format. A later version must read it and go on from it.
//
// A driver's test makes the database with [Write], once, and holds a copy of it
// against [Check] ever after. The set never changes; what a new format can hold
// beyond it goes into another set.
package golden

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/jsonvalue"
)

// The times of the set: it was written from Written on, and is read at Read.
// Databases with a clock of their own have removed by then what is to be
// expired, or will have, and nothing else.
var (
	Written = time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC)
	Read    = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
)

// The namespaces of the set, in byte order.
const (
	agents = "agents"
	upper  = "Agents"
	tenant = "agents.tenant-1"
)

// A version is one save of the set.
type version struct {
	payload   string
	encoding  string // "" is json
	metadata  map[string]string
	expiresAt time.Time
}

// A thread is the saves of one thread and how many of them are kept.
type thread struct {
	namespace, name string
	keep            int
	versions        []version
	deleted         bool // a former life was deleted before these saves
	expired         bool // by Read
}

// threads returns the set.
func threads() []thread {
	far := time.Date(2999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	past := Written.Add(time.Hour) // for a thread's last save only: a database may remove it at once
	return []thread{
		{namespace: agents, name: "user-123", keep: 1, versions: []version{
			{payload: `{"messages":[{"role":"user","content":"Plan my trip."}],"step":1}`},
			{payload: `{"messages":[{"role":"user","content":"Plan my trip."},{"role":"assistant","content":"Where to?"}],"step":2}`},
		}},
		{namespace: agents, name: "history", keep: 3, versions: []version{
			{payload: `{"n":1}`},
			{payload: `{"n":2}`, metadata: map[string]string{"note": "trimmed soon"}},
			{payload: `{"n":3}`, expiresAt: far},
			{payload: `{"n":4}`, metadata: map[string]string{"model": "größe", "quote": `'"\`, "empty": ""}},
			{payload: "\x00\xff bytes among JSON", encoding: "bytes", expiresAt: far},
		}},
		{namespace: agents, name: "numbers and strings", keep: 1, versions: []version{
			{payload: `{"big":123456789012345678901234567890,"float":0.30000000000000004,"huge":1e400,"beyond":1e131073,"nul":"a\u0000b","lone":"\ud800","emoji":"😀"}`},
		}},
		{namespace: agents, name: "scalars", keep: 4, versions: []version{{payload: `null`}, {payload: `"text"`}, {payload: `[]`}, {payload: `{}`}}},
		{namespace: agents, name: "empty", keep: 1, versions: []version{{encoding: "bytes"}}},
		{namespace: agents, name: "sealed", keep: 1, versions: []version{{payload: "\x01\x02\x03\xfe", encoding: "json+zstd+aead"}}},
		{namespace: agents, name: "large", keep: 2, versions: []version{
			{payload: `{"text":"` + strings.Repeat("a state beyond 400 KB; ", 20_000) + `"}`},
			{payload: strings.Repeat("\x00\x01\xfe\xff", 112_500), encoding: "bytes"},
		}},
		{namespace: agents, name: "again", keep: 2, deleted: true, versions: []version{{payload: `{"life":2}`}}},
		{namespace: agents, name: "gone", keep: 2, expired: true, versions: []version{{payload: `{}`}, {payload: `{}`, expiresAt: past}}},
		{namespace: agents, name: "extended", keep: 2, versions: []version{{payload: `{"n":1}`, expiresAt: far.AddDate(-100, 0, 0)}, {payload: `{"n":2}`, expiresAt: far}}},
		{namespace: agents, name: "a:1", keep: 2, versions: []version{{payload: `"a:1"`}, {payload: `"a:1, 2"`}}},
		{namespace: agents, name: "a", keep: 2, versions: []version{{payload: `"a"`}, {payload: `"a, 2"`}}},
		{namespace: agents, name: "a#v#1", keep: 1, versions: []version{{payload: `"a#v#1"`}}},
		{namespace: agents, name: "'; \"\\%_*?[]{}\n\t\x01é e\u0301 😀", keep: 1, versions: []version{{payload: `"hostile"`}}},
		{namespace: agents, name: strings.Repeat("n", 512), keep: 1, versions: []version{{payload: `"long"`}}},
		{namespace: upper, name: "user-123", keep: 1, versions: []version{{payload: `"another namespace"`}}},
		{namespace: tenant, name: "user-123", keep: 1, versions: []version{{payload: `"a tenant"`, metadata: map[string]string{"tenant": "1"}}}},
		{namespace: tenant, name: "user-456", keep: 1, versions: []version{{payload: `"a tenant's other"`}}},
	}
}

// requests returns the saves of a thread, which is the i-th of the set.
func (th thread) requests(i int) []driver.SaveRequest {
	var reqs []driver.SaveRequest
	for v, version := range th.versions {
		encoding := version.encoding
		if encoding == "" {
			encoding = "json"
		}
		reqs = append(reqs, driver.SaveRequest{
			Key:       driver.Key{Namespace: th.namespace, Thread: th.name},
			ID:        fmt.Sprintf("GOLDEN%015d%05d", i, v+1),
			Payload:   []byte(version.payload),
			Encoding:  encoding,
			Metadata:  version.metadata,
			Now:       Written.Add(time.Duration(i)*time.Minute + time.Duration(v)*time.Millisecond),
			ExpiresAt: version.expiresAt,
			Keep:      th.keep,
		})
	}
	return reqs
}

// Write saves the set into an empty database.
func Write(ctx context.Context, b driver.Backend) error {
	if err := b.Ping(ctx); err != nil {
		return fmt.Errorf("golden: ping: %w", err)
	}
	for i, th := range threads() {
		reqs := th.requests(i)
		if th.deleted {
			for n := range 3 {
				former := reqs[0]
				former.ID = fmt.Sprintf("FORMER%015d%05d", i, n+1)
				former.Keep = 3
				if _, err := b.Save(ctx, former); err != nil {
					return fmt.Errorf("golden: save %q: %w", th.name, err)
				}
			}
			if err := b.Delete(ctx, driver.DeleteRequest{Key: reqs[0].Key}); err != nil {
				return fmt.Errorf("golden: delete %q: %w", th.name, err)
			}
		}
		for _, req := range reqs {
			if _, err := b.Save(ctx, req); err != nil {
				return fmt.Errorf("golden: save %q: %w", th.name, err)
			}
		}
	}
	return nil
}

// Check reads the set and goes on from it, and reports every difference. It
// changes the database: give it a copy.
func Check(t testing.TB, b driver.Backend) {
	t.Helper()
	ctx := t.Context()
	if err := b.Ping(ctx); err != nil {
		t.Fatalf("Ping: %v", err)
	}
	want := make(map[string][]string)
	for i, th := range threads() {
		if !th.expired {
			want[th.namespace] = append(want[th.namespace], th.name)
		}
		checkThread(t, b, th, th.requests(i))
	}
	for ns, names := range want {
		slices.Sort(names)
		var got []string
		for info, err := range b.List(ctx, driver.ListRequest{Namespace: ns, Now: Read}) {
			if err != nil {
				t.Fatalf("List(%q): %v", ns, err)
			}
			got = append(got, info.Thread)
		}
		if !slices.Equal(got, names) {
			t.Errorf("List(%q) yielded %.40q, want %.40q", ns, got, names)
		}
	}
	if lister, ok := b.(driver.NamespaceLister); ok {
		var got []string
		for ns, err := range lister.Namespaces(ctx) {
			if err != nil {
				t.Fatalf("Namespaces: %v", err)
			}
			got = append(got, ns)
		}
		if want := slices.Sorted(maps.Keys(want)); !slices.Equal(got, want) {
			t.Errorf("Namespaces yielded %q, want %q", got, want)
		}
	}
	for i, th := range threads() {
		checkGoesOn(t, b, th, th.requests(i))
	}
}

// checkThread compares what is kept of a thread.
func checkThread(t testing.TB, b driver.Backend, th thread, reqs []driver.SaveRequest) {
	t.Helper()
	var history []driver.Info
	for info, err := range b.History(t.Context(), driver.HistoryRequest{Key: reqs[0].Key, Now: Read}) {
		if err != nil {
			t.Fatalf("History(%.40q): %v", th.name, err)
		}
		history = append(history, info)
	}
	if th.expired {
		if _, err := b.Load(t.Context(), driver.LoadRequest{Key: reqs[0].Key, Now: Read}); !errors.Is(err, driver.ErrNotFound) || len(history) > 0 {
			t.Errorf("%.40q has expired: Load: error %v and %d versions, want ErrNotFound and none", th.name, err, len(history))
		}
		return
	}
	kept := min(th.keep, len(reqs))
	if len(history) != kept {
		t.Errorf("History(%.40q) yielded %d versions, want %d", th.name, len(history), kept)
	}
	for n := range kept {
		v := len(reqs) - 1 - n
		req := reqs[v]
		got, err := b.Load(t.Context(), driver.LoadRequest{Key: req.Key, Version: int64(v + 1), Now: Read})
		if err != nil {
			t.Errorf("Load(%.40q, %d): %v", th.name, v+1, err)
			continue
		}
		want := driver.Info{
			Key: req.Key, ID: req.ID, Version: int64(v + 1), Size: len(req.Payload), Encoding: req.Encoding, Metadata: req.Metadata,
			CreatedAt: reqs[0].Now, SavedAt: req.Now, ExpiresAt: req.ExpiresAt,
		}
		checkInfo(t, "Load", got.Info, want)
		if n < len(history) {
			checkInfo(t, "History", history[n], want)
		}
		if !samePayload(req.Encoding, got.Payload, req.Payload) {
			t.Errorf("Load(%.40q, %d) returned the payload %.80q (%d bytes), want %.80q (%d bytes)", th.name, v+1, got.Payload, len(got.Payload), req.Payload, len(req.Payload))
		}
	}
}

func checkInfo(t testing.TB, call string, got, want driver.Info) {
	t.Helper()
	same := got.Key == want.Key && got.ID == want.ID && got.Version == want.Version && got.Size == want.Size && got.Encoding == want.Encoding &&
		maps.Equal(got.Metadata, want.Metadata) && got.CreatedAt.Equal(want.CreatedAt) && got.SavedAt.Equal(want.SavedAt) && got.ExpiresAt.Equal(want.ExpiresAt)
	if !same {
		t.Errorf("%s(%.40q) gave the Info\n%+v, want\n%+v", call, want.Thread, got, want)
	}
}

func samePayload(encoding string, got, want []byte) bool {
	if encoding != "json" {
		return string(got) == string(want)
	}
	g, err := jsonvalue.Canonical(got)
	if err != nil {
		return false
	}
	w, _ := jsonvalue.Canonical(want)
	return g == w
}

// checkGoesOn repeats the last save of a thread, and saves on condition of its
// id.
func checkGoesOn(t testing.TB, b driver.Backend, th thread, reqs []driver.SaveRequest) {
	t.Helper()
	last := reqs[len(reqs)-1]
	last.Now = Read
	next := last
	next.ID = "NEXT" + last.ID[4:]
	next.Match = driver.Match{ID: last.ID}
	version := int64(len(reqs))
	if th.expired {
		version = 0
		next.Match = driver.Match{Absent: true}
		next.ExpiresAt = time.Time{}
	} else if info, err := b.Save(t.Context(), last); err != nil || info.Version != version {
		t.Errorf("repeated Save(%.40q) = version %d, %v, want version %d", th.name, info.Version, err, version)
	}
	if info, err := b.Save(t.Context(), next); err != nil || info.Version != version+1 {
		t.Errorf("next Save(%.40q) = version %d, %v, want version %d", th.name, info.Version, err, version+1)
	}
}
