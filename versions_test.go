package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// versionStores are a store on a driver that reads many versions at once, and one
// on a driver that does not. Every version is the number of its save.
func versionStores(t *testing.T, n int, opts ...checkpoint.Option) map[string]*checkpoint.Store {
	t.Helper()
	stores := map[string]*checkpoint.Store{
		"Memory":           checkpoint.New(memory.New(), opts...),
		"WithoutInterface": checkpoint.New(newFake(), opts...),
	}
	for _, s := range stores {
		for i := range n {
			mustSave(t, s, "t", i+1)
		}
	}
	return stores
}

// numbers reads a range of versions whose states are numbers.
func numbers(t *testing.T, s *checkpoint.Store, opts checkpoint.VersionsOptions) []int {
	t.Helper()
	var got []int
	for v, err := range s.Versions(t.Context(), "t", opts) {
		if err != nil {
			t.Fatalf("Versions: %v", err)
		}
		var n int
		if err := v.Decode(&n); err != nil {
			t.Fatal(err)
		}
		got = append(got, n)
	}
	return got
}

func TestVersions(t *testing.T) {
	t.Parallel()
	const saved, kept = 350, 330
	for name, s := range versionStores(t, saved, checkpoint.WithHistory(kept)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, o := range []checkpoint.VersionsOptions{
				{}, {Newest: true}, {From: 1}, {From: 100}, {From: 100, Newest: true}, {To: 120}, {To: 120, Newest: true},
				{From: 33, To: 34}, {From: 340, To: 1000}, {From: 340, To: 1000, Newest: true}, {From: 351}, {From: 351, Newest: true}, {To: 20}, {To: 20, Newest: true}, {From: 350, To: 350},
				{Limit: 1}, {Limit: 1, Newest: true}, {Limit: 150}, {Limit: 100, From: 101}, {Limit: 101, To: 250, Newest: true}, {Limit: 10_000},
			} {
				var want []int
				for v := 1; v <= saved; v++ {
					if v > saved-kept && int64(v) >= o.From && (o.To == 0 || int64(v) <= o.To) {
						want = append(want, v)
					}
				}
				if o.Newest {
					slices.Reverse(want)
				}
				if o.Limit > 0 {
					want = want[:min(len(want), o.Limit)]
				}
				if got := numbers(t, s, o); !slices.Equal(got, want) {
					t.Errorf("%+v: got %v, want %v", o, got, want)
				}
			}
			if err := lastError(s.Versions(t.Context(), "absent", checkpoint.VersionsOptions{})); err != nil {
				t.Errorf("of an absent thread: %v", err)
			}
		})
	}
}

// TestVersionsUnderChange: what happens to the thread in the loop's body.
func TestVersionsUnderChange(t *testing.T) {
	t.Parallel()
	clock := newClock() // stands still: a later life has the same times
	for name, s := range versionStores(t, 250, checkpoint.WithHistory(checkpoint.KeepAll), checkpoint.WithClock(clock.Now)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			trimming := checkpoint.New(rawBackend(s), checkpoint.WithHistory(40), checkpoint.WithClock(clock.Now))
			var got []int
			for v, err := range s.Versions(ctx, "t", checkpoint.VersionsOptions{}) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, int(v.Info.Version))
				if v.Info.Version == 50 {
					mustSave(t, trimming, "t", 251) // drops all below 212
				}
			}
			if !slices.IsSorted(got) || len(got) < 50+39 || slices.Contains(got, 150) {
				t.Errorf("trimmed under the loop: %v", got)
			}
			for _, again := range []bool{false, true} {
				for _, newest := range []bool{false, true} {
					ids := map[string]bool{}
					for i := range 250 {
						info := mustSave(t, s, "t", i)
						ids[info.ID] = true
					}
					seen := 0
					for v, err := range s.Versions(ctx, "t", checkpoint.VersionsOptions{Newest: newest, From: 1}) {
						if err != nil {
							t.Fatal(err)
						}
						seen++
						if seen == 10 {
							if err := s.Delete(ctx, "t"); err != nil {
								t.Fatal(err)
							}
							for i := 0; again && i < 400; i++ {
								mustSave(t, s, "t", -i)
							}
						}
						var n int
						if err := v.Decode(&n); err != nil || n < 0 {
							t.Fatalf("newest %v: state %d, %v: of a later life", newest, n, err)
						}
					}
					if seen > 110 {
						t.Errorf("%d versions after a deletion at the tenth, want the page at most", seen)
					}
					s.Delete(ctx, "t")
				}
			}
		})
	}
}

// rawBackend returns the backend of a store.
func rawBackend(s *checkpoint.Store) (b driver.Backend) {
	s.Raw(func(raw driver.Backend) error { b = raw; return nil })
	return b
}

// TestVersionIsItsOwn: a Version stays valid after the loop, and what Decode hands
// out is the caller's.
func TestVersionIsItsOwn(t *testing.T) {
	t.Parallel()
	s := newStore(t, checkpoint.WithHistory(checkpoint.KeepAll))
	mustSave(t, s, "t", checkpoint.Bytes("first"))
	mustSave(t, s, "t", checkpoint.Bytes("second"))
	var all []*checkpoint.Version
	for v, err := range s.Versions(t.Context(), "t", checkpoint.VersionsOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	s.Delete(t.Context(), "t")
	s.Close()
	for range 2 {
		for i, want := range []string{"first", "second"} {
			var b checkpoint.Bytes
			if err := all[i].Decode(&b); err != nil || string(b) != want {
				t.Errorf("version %d: %q, %v", i+1, b, err)
			}
			clear(b)
		}
	}
	if err := all[0].Decode(nil); !errors.Is(err, checkpoint.ErrInvalid) {
		t.Errorf("Decode(nil) = %v", err)
	}
	if err := all[0].Decode(new(int)); !errors.Is(err, checkpoint.ErrCorrupt) {
		t.Errorf("Decode into an int = %v", err)
	}
	if text := fmt.Sprintf("%v %+v", all[0], all[0]); strings.Contains(text, "first") || !strings.Contains(text, "5 bytes") {
		t.Errorf("a Version prints its state: %s", text)
	}
}

// TestVersionsUnreadable: a version that cannot be opened is an error of its Decode
// alone.
func TestVersionsUnreadable(t *testing.T) {
	t.Parallel()
	f := newFake()
	plain := checkpoint.New(f, checkpoint.WithHistory(checkpoint.KeepAll))
	sealed := checkpoint.New(f, checkpoint.WithHistory(checkpoint.KeepAll), checkpoint.WithEncryption(newKeyring(t, 1)))
	mustSave(t, plain, "t", 1)
	mustSave(t, sealed, "t", 2)
	mustSave(t, plain, "t", 3)
	damaged := int64(0)
	f.onLoad = func(cp *driver.Checkpoint) error {
		if cp.Version == damaged {
			return fmt.Errorf("%w: torn", driver.ErrCorrupt)
		}
		return nil
	}
	for _, damaged = range []int64{0, 1} {
		var good, bad []int64
		for v, err := range plain.Versions(t.Context(), "t", checkpoint.VersionsOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			switch err := v.Decode(new(int)); {
			case err == nil:
				good = append(good, v.Info.Version)
			case errors.Is(err, checkpoint.ErrCorrupt):
				bad = append(bad, v.Info.Version)
			default:
				t.Error(err)
			}
		}
		if want := fmt.Sprint([]int64{2}); damaged == 0 && fmt.Sprint(bad) != want || damaged == 1 && fmt.Sprint(bad) != "[1 2]" || len(good)+len(bad) != 3 {
			t.Errorf("damaged %d: read %v, unreadable %v", damaged, good, bad)
		}
	}
	f.onLoad = func(*driver.Checkpoint) error { return driver.ErrUnavailable }
	if err := lastError(plain.Versions(t.Context(), "t", checkpoint.VersionsOptions{})); !errors.Is(err, checkpoint.ErrUnavailable) {
		t.Errorf("an unreachable database: %v", err)
	}
}

// recording is an Observer that keeps what it is told.
type recording struct{ got []string }

type spanKey struct{}

func (r *recording) Start(ctx context.Context, op checkpoint.Operation) (context.Context, func(checkpoint.Result)) {
	return context.WithValue(ctx, spanKey{}, op.Name), func(res checkpoint.Result) {
		outcome := "ok"
		if res.Err != nil {
			outcome = errors.Unwrap(res.Err).Error()
		}
		r.got = append(r.got, fmt.Sprintf("%s %s %s v%d %dB %s", op.Name, op.Driver, op.Namespace, res.Version, res.Bytes, outcome))
	}
}

// TestObserver: one call around each operation, with the observer's context.
func TestObserver(t *testing.T) {
	t.Parallel()
	r := new(recording)
	s := newStore(t, checkpoint.WithObserver(r), checkpoint.WithHistory(5))
	ctx := t.Context()
	s.Ping(ctx)
	info := mustSave(t, s, "t", 1)
	s.Save(ctx, "", 1)
	s.Load(ctx, "t", new(int))
	s.LoadVersion(ctx, "t", 7, new(int))
	s.Stat(ctx, "t")
	s.Find(ctx, "t", info.ID)
	collect(s.List(ctx, checkpoint.ListOptions{}))
	collect(s.History(ctx, "t", checkpoint.HistoryOptions{}))
	lastError(s.Versions(ctx, "t", checkpoint.VersionsOptions{}))
	s.Restore(ctx, "t", 1)
	s.Fork(ctx, "t", 1, "u")
	checkpoint.Update(ctx, s, "t", func(*int) error { return nil })
	checkpoint.Get[int](ctx, s, "u")
	s.Namespace("n").Delete(ctx, "t")
	s.DeletePrefix(ctx, "u")
	s.Purge(ctx)
	lastError(s.Namespaces(ctx))
	want := []string{
		"ping memory agents v0 0B ok",
		"save memory agents v1 1B ok",
		"save memory agents v0 0B invalid thread name: it is empty",
		"load memory agents v1 1B ok",
		"load memory agents v0 0B not found",
		"stat memory agents v1 1B ok",
		"find memory agents v1 1B ok",
		"list memory agents v0 0B ok",
		"history memory agents v0 0B ok",
		"versions memory agents v0 0B ok",
		"restore memory agents v2 1B ok",
		"fork memory agents v1 1B ok",
		"load memory agents v2 1B ok",
		"save memory agents v3 1B ok",
		"load memory agents v1 1B ok",
		"delete memory n v0 0B ok",
		"deleteprefix memory agents v0 0B ok",
		"purge memory agents v0 0B ok",
		"namespaces memory agents v0 0B ok",
	}
	if !slices.Equal(r.got, want) {
		t.Errorf("observed\n%q, want\n%q", r.got, want)
	}

	f := newFake()
	f.onSave = func(driver.SaveRequest) error { return nil }
	seen := checkpoint.New(contextSpy{f, t}, checkpoint.WithObserver(r))
	if _, err := seen.Save(ctx, "t", 1); err != nil {
		t.Fatal(err)
	}
}

// contextSpy is a backend that wants the observer's context.
type contextSpy struct {
	*fake
	t *testing.T
}

func (c contextSpy) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	if ctx.Value(spanKey{}) != "save" {
		c.t.Error("the driver's context is not the observer's")
	}
	return c.fake.Save(ctx, req)
}

// TestRaw reaches the driver's own backend, and returns the error of the function.
func TestRaw(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	mine := errors.New("mine")
	if err := s.Raw(func(b driver.Backend) error {
		_, err := b.Save(t.Context(), driver.SaveRequest{
			Key: driver.Key{Namespace: s.InNamespace(), Thread: "t"}, ID: "id", Encoding: "json", Payload: []byte("1"), Now: time.Now().UTC(), Keep: 1,
		})
		return errors.Join(mine, err)
	}); !errors.Is(err, mine) {
		t.Errorf("Raw = %v", err)
	}
	if info, err := s.Stat(t.Context(), "t"); err != nil || info.ID != "id" {
		t.Errorf("Stat = %v, %v", info, err)
	}
	s.Close()
	if err := s.Raw(func(driver.Backend) error { t.Error("called"); return nil }); !errors.Is(err, checkpoint.ErrClosed) {
		t.Errorf("Raw of a closed store = %v", err)
	}
}
