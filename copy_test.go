package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// fill saves threads of several versions each, with metadata and expiry.
func fill(t testing.TB, s *checkpoint.Store, threads, versions int) {
	t.Helper()
	for i := range threads {
		for v := range versions {
			_, err := s.Save(t.Context(), fmt.Sprintf("thread/%03d", i), fmt.Sprintf("state %d of %d: %s", v+1, i, text),
				checkpoint.Metadata(map[string]string{"step": fmt.Sprint(v)}), checkpoint.ExpiresIn(time.Duration(i%3)*24*time.Hour))
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// contents returns everything that is in the namespace of a backend, payloads as
// they are stored, under the name of another namespace.
func contents(t testing.TB, b driver.Backend, namespace, as string) []driver.Checkpoint {
	t.Helper()
	var all []driver.Checkpoint
	now := time.Now()
	for latest, err := range b.List(t.Context(), driver.ListRequest{Namespace: namespace, Now: now}) {
		if err != nil {
			t.Fatal(err)
		}
		for info, err := range b.History(t.Context(), driver.HistoryRequest{Key: latest.Key, Now: now}) {
			if err != nil {
				t.Fatal(err)
			}
			cp, err := b.Load(t.Context(), driver.LoadRequest{Key: info.Key, Version: info.Version, Now: now})
			if err != nil {
				t.Fatal(err)
			}
			cp.Namespace = as
			all = append(all, cp)
		}
	}
	return all
}

func TestCopy(t *testing.T) {
	t.Parallel()
	flate, seal := checkpoint.WithCompression(flater{"flate"}), checkpoint.WithEncryption(newKeyring(t, 1))
	all, elsewhere := checkpoint.WithHistory(checkpoint.KeepAll), checkpoint.WithNamespace("elsewhere")
	type options = []checkpoint.Option
	for name, tt := range map[string]struct {
		from, to options
		opts     checkpoint.CopyOptions
		threads  int64
		each     int64 // checkpoints copied of each thread
		encoding string
	}{
		"latest":                {options{}, options{all}, checkpoint.CopyOptions{}, 30, 1, "json"},
		"history":               {options{}, options{all}, checkpoint.CopyOptions{History: true}, 30, 5, "json"},
		"history of two":        {options{}, options{checkpoint.WithHistory(2)}, checkpoint.CopyOptions{History: true}, 30, 2, "json"},
		"prefix":                {options{}, options{all}, checkpoint.CopyOptions{History: true, Prefix: "thread/01"}, 10, 5, "json"},
		"other namespace":       {options{}, options{all, elsewhere}, checkpoint.CopyOptions{History: true, Concurrency: 1}, 30, 5, "json"},
		"compressed":            {options{flate}, options{all}, checkpoint.CopyOptions{History: true}, 30, 5, "json+flate"},
		"to compress":           {options{}, options{all, flate}, checkpoint.CopyOptions{History: true}, 30, 5, "json+flate"},
		"to encrypt":            {options{flate}, options{all, seal}, checkpoint.CopyOptions{History: true}, 30, 5, "json+aead"},
		"sealed, new namespace": {options{seal}, options{all, elsewhere}, checkpoint.CopyOptions{History: true}, 30, 5, "json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := memory.New(), memory.New()
			src := checkpoint.New(from, append(tt.from, all)...)
			fill(t, src, 30, 5)
			dst := checkpoint.New(to, tt.to...)
			var last checkpoint.CopyStats
			tt.opts.Progress = func(s checkpoint.CopyStats) { last = s }
			stats, err := checkpoint.Copy(t.Context(), dst, src, tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			namespace := "agents"
			if infos, err := collect(dst.List(t.Context(), checkpoint.ListOptions{Limit: 1})); err != nil || len(infos) != 1 {
				t.Fatalf("List = %v, %v, want a thread", infos, err)
			} else {
				namespace = infos[0].Namespace
			}
			got := contents(t, to, namespace, "agents")
			want := slices.DeleteFunc(contents(t, from, "agents", "agents"), func(cp driver.Checkpoint) bool {
				return cp.Version <= 5-tt.each || !strings.HasPrefix(cp.Thread, tt.opts.Prefix)
			})
			if wantStats := (checkpoint.CopyStats{Threads: tt.threads, Checkpoints: tt.threads * tt.each, Bytes: size(got)}); stats != wantStats || last != stats {
				t.Errorf("Copy = %+v and at last %+v, want %+v", stats, last, wantStats)
			}
			reader := checkpoint.New(to, append(tt.to, flate)...)
			for i, cp := range got {
				if cp.Encoding != tt.encoding {
					t.Fatalf("%s version %d arrived as %s, want %s", cp.Thread, cp.Version, cp.Encoding, tt.encoding)
				}
				var state string
				if _, err := reader.LoadVersion(t.Context(), cp.Thread, cp.Version, &state); err != nil || state != stateOf(cp) {
					t.Fatalf("%s version %d = %q, %v, want %q", cp.Thread, cp.Version, state, err, stateOf(cp))
				}
				if want[i].Encoding != tt.encoding { // decoded and encoded again
					cp.Payload, cp.Size, cp.Encoding = want[i].Payload, want[i].Size, want[i].Encoding
				}
				if !reflect.DeepEqual(cp, want[i]) {
					t.Errorf("Copy made %v of %v", cp, want[i])
				}
			}
			again, err := checkpoint.Copy(t.Context(), dst, src, tt.opts)
			if want := (checkpoint.CopyStats{Skipped: stats.Threads}); err != nil || again != want {
				t.Errorf("Copy again = %+v, %v, want %+v", again, err, want)
			}
		})
	}
}

// stateOf returns what fill has saved as this checkpoint.
func stateOf(cp driver.Checkpoint) string {
	var number int
	fmt.Sscanf(cp.Thread, "thread/%d", &number)
	return fmt.Sprintf("state %d of %d: %s", cp.Version, number, text)
}

// TestCopySealedWithoutKey: sealed payloads that stay in their namespace move as
// they are, and no key is needed; into another one they cannot.
func TestCopySealedWithoutKey(t *testing.T) {
	t.Parallel()
	from, to := memory.New(), memory.New()
	seal := checkpoint.WithEncryption(newKeyring(t, 1))
	fill(t, checkpoint.New(from, seal), 3, 1)
	src := checkpoint.New(from)
	if _, err := checkpoint.Copy(t.Context(), checkpoint.New(to), src, checkpoint.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, _, err := checkpoint.Get[string](t.Context(), checkpoint.New(to, seal), "thread/001"); err != nil || got == "" {
		t.Errorf("Get from the copy = %q, %v, want the state", got, err)
	}
	stats, err := checkpoint.Copy(t.Context(), checkpoint.New(to, checkpoint.WithNamespace("n")), src, checkpoint.CopyOptions{})
	if !errors.Is(err, checkpoint.ErrCorrupt) || stats.Checkpoints != 0 {
		t.Errorf("Copy to another namespace = %+v, %v, want ErrCorrupt that asks for the key", stats, err)
	}
}

// TestCopyNeverOverwrites: what the destination has at the same or a higher
// version stays, and what it has at a lower one is continued.
func TestCopyNeverOverwrites(t *testing.T) {
	t.Parallel()
	all := checkpoint.WithHistory(checkpoint.KeepAll)
	from, to := memory.New(), memory.New()
	src, dst := checkpoint.New(from, all), checkpoint.New(to, all)
	fill(t, src, 3, 2)
	if _, err := checkpoint.Copy(t.Context(), dst, src, checkpoint.CopyOptions{History: true}); err != nil {
		t.Fatal(err)
	}
	for _, save := range []struct {
		s      *checkpoint.Store
		thread string
	}{{dst, "thread/000"}, {src, "thread/001"}, {src, "thread/001"}} {
		if _, err := save.s.Save(t.Context(), save.thread, "later"); err != nil {
			t.Fatal(err)
		}
	}
	want := checkpoint.CopyStats{Threads: 1, Checkpoints: 2, Skipped: 2, Bytes: 14}
	if got, err := checkpoint.Copy(t.Context(), dst, src, checkpoint.CopyOptions{History: true}); err != nil || got != want {
		t.Errorf("Copy = %+v, %v, want %+v", got, err, want)
	}
	if got, info, err := checkpoint.Get[string](t.Context(), dst, "thread/000"); err != nil || got != "later" || info.Version != 3 {
		t.Errorf("Get = %q, %+v, %v, want the destination's own version 3", got, info, err)
	}
	if infos, err := collect(dst.History(t.Context(), "thread/001", checkpoint.HistoryOptions{})); err != nil || len(infos) != 4 {
		t.Errorf("History = %d versions, %v, want 4", len(infos), err)
	}
}

// failingImporter imports until a number of checkpoints is reached, one at a time: a
// failure ends what others have under way.
type failingImporter struct {
	driver.Backend
	mu   sync.Mutex
	left atomic.Int64
}

func (f *failingImporter) Import(ctx context.Context, req driver.ImportRequest) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left.Add(-1) < 0 {
		return fmt.Errorf("%w: it is gone", checkpoint.ErrUnavailable)
	}
	return f.Backend.(driver.Importer).Import(ctx, req)
}

// TestCopyHistoryOfExpiredVersions copies versions whose own expiry is over in a
// thread that is alive.
func TestCopyHistoryOfExpiredVersions(t *testing.T) {
	t.Parallel()
	now := time.Now()
	clock := checkpoint.WithClock(func() time.Time { return now })
	src := checkpoint.New(memory.New(), clock, checkpoint.WithHistory(checkpoint.KeepAll))
	dst := checkpoint.New(memory.New(), clock, checkpoint.WithHistory(checkpoint.KeepAll))
	for range 3 {
		if _, err := src.Save(t.Context(), "thread", 1, checkpoint.ExpiresIn(time.Hour)); err != nil {
			t.Fatal(err)
		}
		now = now.Add(50 * time.Minute)
	}
	if _, err := checkpoint.Copy(t.Context(), dst, src, checkpoint.CopyOptions{History: true}); err != nil {
		t.Fatal(err)
	}
	var got []int64
	for info, err := range dst.History(t.Context(), "thread", checkpoint.HistoryOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Version)
	}
	if want := []int64{3, 2, 1}; !slices.Equal(got, want) {
		t.Errorf("the copy has the versions %v, want %v", got, want)
	}
}

// TestCopyGoesOn: a copy that was interrupted at any checkpoint and is run again
// does what was left, and the counts add up.
func TestCopyGoesOn(t *testing.T) {
	t.Parallel()
	all := checkpoint.WithHistory(checkpoint.KeepAll)
	from := memory.New()
	src := checkpoint.New(from, all)
	fill(t, src, 7, 3)
	want := contents(t, from, "agents", "agents")
	for n := range len(want) {
		b := &failingImporter{Backend: memory.New()}
		b.left.Store(int64(n))
		dst := checkpoint.New(b, all)
		first, err := checkpoint.Copy(t.Context(), dst, src, checkpoint.CopyOptions{History: true})
		if !errors.Is(err, checkpoint.ErrUnavailable) || first.Checkpoints != int64(n) {
			t.Fatalf("Copy that fails after %d = %+v, %v, want ErrUnavailable and that count", n, first, err)
		}
		b.left.Store(1000)
		second, err := checkpoint.Copy(t.Context(), dst, src, checkpoint.CopyOptions{History: true})
		if err != nil || first.Checkpoints+second.Checkpoints != int64(len(want)) || first.Bytes+second.Bytes != size(want) {
			t.Errorf("Copy after %d = %+v, %v, want the other %d", n, second, err, len(want)-n)
		}
		if got := contents(t, b, "agents", "agents"); !reflect.DeepEqual(got, want) {
			t.Errorf("the copy interrupted after %d is not what was copied", n)
		}
	}
}

func size(cps []driver.Checkpoint) (n int64) {
	for _, cp := range cps {
		n += int64(len(cp.Payload))
	}
	return n
}

// TestCopyCancelled: when the context ends Copy returns its error, and no
// goroutine goes on.
func TestCopyCancelled(t *testing.T) {
	t.Parallel()
	src := checkpoint.New(memory.New())
	fill(t, src, 50, 1)
	ctx, cancel := context.WithCancel(t.Context())
	stats, err := checkpoint.Copy(ctx, checkpoint.New(memory.New()), src, checkpoint.CopyOptions{
		Concurrency: 2,
		Progress: func(s checkpoint.CopyStats) {
			if s.Threads == 5 {
				cancel()
			}
		},
	})
	if !errors.Is(err, context.Canceled) || stats.Threads < 5 || stats.Threads > 6 {
		t.Errorf("Copy = %+v, %v, want context.Canceled after 5 threads, or one more under way", stats, err)
	}
}

// badSource yields an Info that no driver may be given.
type badSource struct {
	driver.Backend
	info driver.Info
}

func (b badSource) List(context.Context, driver.ListRequest) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) { yield(b.info, nil) }
}

func (b badSource) Load(context.Context, driver.LoadRequest) (driver.Checkpoint, error) {
	return driver.Checkpoint{Info: b.info}, nil
}

// TestCopyChecksItsSource: what a source returns is checked before it reaches
// the destination.
func TestCopyChecksItsSource(t *testing.T) {
	t.Parallel()
	good := driver.Info{Key: driver.Key{Namespace: "agents", Thread: "t"}, ID: "id", Version: 1, Encoding: "json"}
	for name, spoil := range map[string]func(*driver.Info){
		"thread":   func(i *driver.Info) { i.Thread = "a\x00b" },
		"id":       func(i *driver.Info) { i.ID = "" },
		"encoding": func(i *driver.Info) { i.Encoding = "" },
		"metadata": func(i *driver.Info) { i.Metadata = map[string]string{"": "x"} },
	} {
		info := good
		spoil(&info)
		stats, err := checkpoint.Copy(t.Context(), other(), checkpoint.New(badSource{memory.New(), info}), checkpoint.CopyOptions{})
		if err == nil || stats.Checkpoints != 0 {
			t.Errorf("Copy with a bad %s = %+v, %v, want an error", name, stats, err)
		}
	}
	if _, err := checkpoint.Copy(t.Context(), other(), checkpoint.New(badSource{memory.New(), good}), checkpoint.CopyOptions{}); err != nil {
		t.Errorf("Copy of a good one = %v", err)
	}
}

// purged is a backend in which expired threads are purged before every import.
type purged struct{ driver.Backend }

func (p purged) Import(ctx context.Context, req driver.ImportRequest) error {
	if _, err := p.Backend.(driver.Purger).Purge(ctx, req.Namespace, time.Now()); err != nil {
		return err
	}
	return p.Backend.(driver.Importer).Import(ctx, req)
}

// TestCopyAlwaysPurged: where a thread is removed between two of its versions however
// often it is begun, Copy and Import say so, and count nothing that is not there.
func TestCopyAlwaysPurged(t *testing.T) {
	t.Parallel()
	now := time.Now().Add(-time.Hour)
	clock, all := checkpoint.WithClock(func() time.Time { return now }), checkpoint.WithHistory(checkpoint.KeepAll)
	from := memory.New()
	src := checkpoint.New(from, clock, all)
	for _, lifetime := range []time.Duration{time.Minute, 0} {
		if _, err := src.Save(t.Context(), "thread", "state", checkpoint.ExpiresIn(lifetime)); err != nil {
			t.Fatal(err)
		}
	}
	to := memory.New()
	dst := checkpoint.New(purged{to}, all)
	if stats, err := checkpoint.Copy(t.Context(), dst, src, checkpoint.CopyOptions{History: true}); !errors.Is(err, checkpoint.ErrUnavailable) || stats != (checkpoint.CopyStats{}) {
		t.Errorf("Copy = %+v, %v, want ErrUnavailable and nothing copied", stats, err)
	}
	versions := contents(t, from, "agents", "agents")
	slices.Reverse(versions) // the oldest first
	if stats, err := checkpoint.Import(t.Context(), dst, given(nil, versions...)); !errors.Is(err, checkpoint.ErrUnavailable) {
		t.Errorf("Import = %+v, %v, want ErrUnavailable", stats, err)
	}
	again := checkpoint.New(to, all)
	if stats, err := checkpoint.Import(t.Context(), again, given(nil, versions...)); err != nil || stats.Checkpoints != 2 {
		t.Errorf("Import again = %+v, %v, want both versions", stats, err)
	}
	if got := contents(t, to, "agents", "agents"); len(got) != 2 {
		t.Errorf("after Import again there are %d versions, want 2", len(got))
	}
}
