package checkpoint_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// operations calls every method that can fail.
var operations = map[string]func(context.Context, *checkpoint.Store) error{
	"Ping":   func(ctx context.Context, s *checkpoint.Store) error { return s.Ping(ctx) },
	"Save":   func(ctx context.Context, s *checkpoint.Store) error { _, err := s.Save(ctx, "t", 1); return err },
	"Load":   func(ctx context.Context, s *checkpoint.Store) error { _, err := s.Load(ctx, "t", new(int)); return err },
	"Stat":   func(ctx context.Context, s *checkpoint.Store) error { _, err := s.Stat(ctx, "t"); return err },
	"Delete": func(ctx context.Context, s *checkpoint.Store) error { return s.Delete(ctx, "t") },
	"Purge":  func(ctx context.Context, s *checkpoint.Store) error { _, err := s.Purge(ctx); return err },
	"LoadVersion": func(ctx context.Context, s *checkpoint.Store) error {
		_, err := s.LoadVersion(ctx, "t", 1, new(int))
		return err
	},
	"List": func(ctx context.Context, s *checkpoint.Store) error {
		_, err := collect(s.List(ctx, checkpoint.ListOptions{}))
		return err
	},
	"History": func(ctx context.Context, s *checkpoint.Store) error {
		_, err := collect(s.History(ctx, "t", checkpoint.HistoryOptions{}))
		return err
	},
	"Find": func(ctx context.Context, s *checkpoint.Store) error { _, err := s.Find(ctx, "t", "id"); return err },
	"Versions": func(ctx context.Context, s *checkpoint.Store) error {
		return lastError(s.Versions(ctx, "t", checkpoint.VersionsOptions{}))
	},
	"DeletePrefix": func(ctx context.Context, s *checkpoint.Store) error { _, err := s.DeletePrefix(ctx, "t"); return err },
	"Namespaces":   func(ctx context.Context, s *checkpoint.Store) error { return lastError(s.Namespaces(ctx)) },
	"Restore":      func(ctx context.Context, s *checkpoint.Store) error { _, err := s.Restore(ctx, "t", 1); return err },
	"Fork":         func(ctx context.Context, s *checkpoint.Store) error { _, err := s.Fork(ctx, "t", 1, "u"); return err },
	"Update": func(ctx context.Context, s *checkpoint.Store) error {
		_, err := checkpoint.Update(ctx, s, "t", func(*int) error { return nil })
		return err
	},
	"Get": func(ctx context.Context, s *checkpoint.Store) error {
		_, _, err := checkpoint.Get[int](ctx, s, "t")
		return err
	},
	"Blobs.Get": func(ctx context.Context, s *checkpoint.Store) error { _, _, err := s.Blobs().Get(ctx, "t"); return err },
	"Blobs.Set": func(ctx context.Context, s *checkpoint.Store) error { return s.Blobs().Set(ctx, "t", nil) },
	"Copy to": func(ctx context.Context, s *checkpoint.Store) error {
		_, err := checkpoint.Copy(ctx, s, other(), checkpoint.CopyOptions{})
		return err
	},
	"Copy from": func(ctx context.Context, s *checkpoint.Store) error {
		_, err := checkpoint.Copy(ctx, other(), s, checkpoint.CopyOptions{})
		return err
	},
	"Rekey": func(ctx context.Context, s *checkpoint.Store) error {
		_, err := checkpoint.Rekey(ctx, s, checkpoint.RekeyOptions{})
		return err
	},
	"view's Load": func(ctx context.Context, s *checkpoint.Store) error {
		_, err := s.Namespace("n").Load(ctx, "t", new(int))
		return err
	},
}

// lastError returns the error of an iterator, which ends it.
func lastError[T any](values iter.Seq2[T, error]) error {
	var last error
	for _, err := range values {
		last = err
	}
	return last
}

func other() *checkpoint.Store { return checkpoint.New(memory.New()) }

// TestClosed: after Close every method returns ErrClosed, before any other error.
func TestClosed(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	if err := s.Namespace("view").Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Save(t.Context(), "t", 1); err != nil {
		t.Fatalf("Save after a view was closed = %v", err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatalf("Close = %v, want nil", err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range operations {
		ctx := ended
		if name == "Copy from" {
			ctx = t.Context() // looks at the destination first
		}
		if err := call(ctx, s); !errors.Is(err, checkpoint.ErrClosed) {
			t.Errorf("%s of a closed store = %v, want ErrClosed", name, err)
		}
	}
	if _, err := s.Save(t.Context(), "", nil, checkpoint.IfMatch("")); !errors.Is(err, checkpoint.ErrClosed) {
		t.Errorf("Save with bad arguments on a closed store = %v, want ErrClosed", err)
	}
	if _, err := s.LoadVersion(t.Context(), "t", 0, nil); !errors.Is(err, checkpoint.ErrClosed) {
		t.Errorf("LoadVersion with bad arguments on a closed store = %v, want ErrClosed", err)
	}
}

// TestEndedContext: a context that ended before the call means no effect, and
// not even a Ping.
func TestEndedContext(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := checkpoint.New(f)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for name, call := range operations {
		if name == "Copy from" {
			continue // begins with the destination
		}
		if err := call(cancelled, s); !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want context.Canceled", name, err)
		}
		if err := call(late, s); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s = %v, want context.DeadlineExceeded", name, err)
		}
	}
	if n := f.pings.Load(); n != 0 {
		t.Errorf("%d pings, want none", n)
	}
	info, err := s.Save(cancelled, "t", 1)
	if info.ID == "" || info.Thread != "t" || err == nil {
		t.Errorf("Save = %+v, %v, want the key and the id with the context's error", info, err)
	}
}

// TestPingOnce: the first operation pings, concurrent ones wait for it, and a
// failed ping is repeated by the next operation.
func TestPingOnce(t *testing.T) {
	t.Parallel()
	f := newFake()
	fail := true
	f.onPing = func() error {
		if fail {
			return fmt.Errorf("%w: no route", checkpoint.ErrUnavailable)
		}
		return nil
	}
	s := checkpoint.New(f)
	info, err := s.Save(t.Context(), "t", 1)
	if !errors.Is(err, checkpoint.ErrUnavailable) || info.ID == "" {
		t.Fatalf("Save = %+v, %v, want ErrUnavailable with an id", info, err)
	}
	fail = false
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := s.Namespace("n").Save(t.Context(), fmt.Sprint(i), 1); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := f.pings.Load(); got != 2 {
		t.Errorf("%d pings, want 2", got)
	}
}

// TestSelfPreparer: a backend that prepares its database by itself is pinged by the
// application alone.
func TestSelfPreparer(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := checkpoint.New(selfPreparer{f})
	if _, err := s.Save(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	if got := f.pings.Load(); got != 0 {
		t.Errorf("%d pings before the first save, want none", got)
	}
	if err := s.Ping(t.Context()); err != nil || f.pings.Load() != 1 {
		t.Errorf("Ping = %v after %d pings, want one", err, f.pings.Load())
	}
}

type selfPreparer struct{ *fake }

func (selfPreparer) PreparesItself() {}

// TestWaitForPing: an operation that waits for another one's ping heeds its own
// context.
func TestWaitForPing(t *testing.T) {
	t.Parallel()
	f := newFake()
	entered, leave := make(chan struct{}), make(chan struct{})
	f.onPing = func() error {
		close(entered) // which panics if it happens twice
		<-leave
		return nil
	}
	s := checkpoint.New(f)
	done := make(chan error)
	go func() { done <- s.Delete(t.Context(), "t") }()
	go func() { done <- s.Delete(t.Context(), "t") }()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := make(chan error)
	go func() { _, err := s.Stat(ctx, "t"); cancelled <- err }()
	cancel()
	if err := <-cancelled; !errors.Is(err, context.Canceled) {
		t.Errorf("Stat = %v, want context.Canceled", err)
	}
	close(leave)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := checkpoint.New(f)
	ctx := t.Context()
	for name, tt := range map[string]struct {
		call func() error
		want string
	}{
		"empty thread":     {func() error { _, err := s.Save(ctx, "", 1); return err }, "checkpoint: save (checkpoint_test): invalid thread name: it is empty"},
		"long thread":      {func() error { _, err := s.Stat(ctx, strings.Repeat("é", 257)); return err }, "invalid thread name: it has 514 bytes, at most 512 are allowed"},
		"NUL in thread":    {func() error { return s.Delete(ctx, "a\x00b") }, `checkpoint: delete "a\x00b" (checkpoint_test): invalid thread name: it contains a NUL byte`},
		"thread not UTF-8": {func() error { _, err := s.Load(ctx, "\xff", new(int)); return err }, "invalid thread name: it is not valid UTF-8"},
		"version 0":        {func() error { _, err := s.LoadVersion(ctx, "t", 0, new(int)); return err }, "invalid version 0: versions count from 1"},
		"restore version":  {func() error { _, err := s.Restore(ctx, "t", -1); return err }, "invalid version -1: versions count from 1"},
		"fork version":     {func() error { _, err := s.Fork(ctx, "t", 0, "u"); return err }, "invalid version 0: versions count from 1"},
		"fork to nowhere":  {func() error { _, err := s.Fork(ctx, "t", 1, ""); return err }, "invalid thread name: it is empty"},
		"limit":            {func() error { _, err := collect(s.List(ctx, checkpoint.ListOptions{Limit: -1})); return err }, "invalid option: ListOptions.Limit -1 is negative"},
		"history limit":    {func() error { _, err := collect(s.History(ctx, "t", checkpoint.HistoryOptions{Limit: -1})); return err }, "invalid option: HistoryOptions.Limit -1 is negative"},
		"history before": {func() error {
			_, err := collect(s.History(ctx, "t", checkpoint.HistoryOptions{Before: -1}))
			return err
		}, "invalid option: HistoryOptions.Before -1 is negative"},
		"both conditions": {func() error {
			_, err := s.Save(ctx, "t", 1, checkpoint.IfAbsent(), checkpoint.IfMatch("x"))
			return err
		}, "invalid option: a call takes one condition, and more than one of"},
		"empty id":    {func() error { _, err := s.Save(ctx, "t", 1, checkpoint.IfMatch("")); return err }, "invalid option: IfMatch with an empty id"},
		"id with NUL": {func() error { _, err := s.Save(ctx, "t", 1, checkpoint.IfMatch("a\x00")); return err }, "invalid option: IfMatch with what is no id of a checkpoint"},
		"two of a kind": {func() error {
			_, err := s.Save(ctx, "t", 1, checkpoint.IfMatch("x"), checkpoint.IfMatch("x"))
			return err
		}, "invalid option: a call takes one condition"},
		"two on a deletion":        {func() error { return s.Delete(ctx, "t", checkpoint.IfExists(), checkpoint.IfVersion(1)) }, "invalid option: a call takes one condition"},
		"deletion, empty id":       {func() error { return s.Delete(ctx, "t", checkpoint.IfMatch("")) }, "invalid option: IfMatch with an empty id"},
		"negative version":         {func() error { _, err := s.Save(ctx, "t", 1, checkpoint.IfVersion(-1)); return err }, "invalid option: IfVersion(-1): versions count from 1"},
		"deletion, negative":       {func() error { return s.Delete(ctx, "t", checkpoint.IfVersion(-2)) }, "invalid option: IfVersion(-2)"},
		"deletion, version 0":      {func() error { return s.Delete(ctx, "t", checkpoint.IfVersion(0)) }, "invalid option: a deletion cannot depend on version 0"},
		"empty own id":             {func() error { _, err := s.Save(ctx, "t", 1, checkpoint.WithID("")); return err }, "invalid option: WithID: an id is 1 to 64 of"},
		"own id, blank":            {func() error { _, err := s.Save(ctx, "t", 1, checkpoint.WithID("a b")); return err }, "invalid option: WithID"},
		"own id, long":             {func() error { _, err := s.Save(ctx, "t", 1, checkpoint.WithID(strings.Repeat("a", 65))); return err }, "invalid option: WithID"},
		"find, empty":              {func() error { _, err := s.Find(ctx, "t", ""); return err }, "invalid id: the id of a checkpoint is 1 to 128 printable"},
		"find, newline":            {func() error { _, err := s.Find(ctx, "t", "a\n"); return err }, "invalid id"},
		"empty prefix":             {func() error { _, err := s.DeletePrefix(ctx, ""); return err }, "invalid prefix: it is empty"},
		"versions, negative From":  {func() error { return lastError(s.Versions(ctx, "t", checkpoint.VersionsOptions{From: -1})) }, "VersionsOptions.From -1 is negative"},
		"versions, negative To":    {func() error { return lastError(s.Versions(ctx, "t", checkpoint.VersionsOptions{To: -1})) }, "VersionsOptions.To -1 is negative"},
		"versions, negative Limit": {func() error { return lastError(s.Versions(ctx, "t", checkpoint.VersionsOptions{Limit: -1})) }, "VersionsOptions.Limit -1 is negative"},
		"versions, From above To":  {func() error { return lastError(s.Versions(ctx, "t", checkpoint.VersionsOptions{From: 3, To: 2})) }, "VersionsOptions.From 3 is above To 2"},
		"update IfExists": {func() error {
			_, err := checkpoint.Update(ctx, s, "t", func(*int) error { return nil }, checkpoint.IfExists())
			return err
		}, "IfExists and IfAbsent do not go with it"},
		"negative expiry":  {func() error { _, err := s.Save(ctx, "t", 1, checkpoint.ExpiresIn(-1)); return err }, "invalid option: ExpiresIn: -1ns is negative"},
		"metadata entries": {func() error { _, err := s.Save(ctx, "t", 1, checkpoint.Metadata(entries(65))); return err }, "invalid metadata: it has 65 entries, at most 64 are allowed"},
		"metadata size": {func() error {
			_, err := s.Save(ctx, "t", 1, checkpoint.Metadata(map[string]string{"k": strings.Repeat("x", 4096)}))
			return err
		}, "invalid metadata: keys and values have 4097 bytes, at most 4096 are allowed"},
		"metadata key": {func() error {
			_, err := s.Save(ctx, "t", 1, checkpoint.Metadata(map[string]string{"": "x"}))
			return err
		}, "invalid metadata: a key is empty"},
		"metadata NUL": {func() error {
			_, err := s.Save(ctx, "t", 1, checkpoint.Metadata(map[string]string{"k": "\x00"}))
			return err
		}, "invalid metadata value: it contains a NUL byte"},
		"metadata UTF-8": {func() error {
			_, err := s.Save(ctx, "t", 1, checkpoint.Metadata(map[string]string{"\xff": "v"}))
			return err
		}, "invalid metadata key: it is not valid UTF-8"},
		"update without fn": {func() error { _, err := checkpoint.Update[int](ctx, s, "t", nil); return err }, "invalid function: Update needs one"},
		"update IfMatch": {func() error {
			_, err := checkpoint.Update(ctx, s, "t", func(*int) error { return nil }, checkpoint.IfMatch("x"))
			return err
		}, "IfExists and IfAbsent do not go with it"},
		"update IfAbsent": {func() error {
			_, err := checkpoint.Update(ctx, s, "t", func(*int) error { return nil }, checkpoint.IfAbsent())
			return err
		}, "IfExists and IfAbsent do not go with it"},
		"namespace": {func() error { return s.Namespace("a b").Delete(ctx, "t") }, `invalid namespace "a b": only A-Z a-z 0-9 . _ - are allowed`},
		"copy concurrency": {func() error {
			_, err := checkpoint.Copy(ctx, other(), s, checkpoint.CopyOptions{Concurrency: -1})
			return err
		}, "invalid option: Concurrency -1 is negative"},
		"rekey, no key": {func() error { _, err := checkpoint.Rekey(ctx, s, checkpoint.RekeyOptions{}); return err }, "invalid store: Rekey needs one that was opened with WithEncryption"},
	} {
		err := tt.call()
		if !errors.Is(err, checkpoint.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v\nwant ErrInvalid with %q", name, err, tt.want)
		}
	}
	if f.pings.Load() > 1 { // Copy lists its source before it looks at Concurrency
		t.Errorf("%d pings: something bad reached the backend", f.pings.Load())
	}
}

func entries(n int) map[string]string {
	m := make(map[string]string, n)
	for i := range n {
		m[fmt.Sprint(i)] = ""
	}
	return m
}

// TestUnsupported: what an optional interface is needed for says so.
func TestUnsupported(t *testing.T) {
	t.Parallel()
	ring := newKeyring(t, 1)
	s := checkpoint.New(newFake(), checkpoint.WithEncryption(ring))
	if _, err := s.Purge(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Purge = %v, want errors.ErrUnsupported", err)
	}
	if _, err := checkpoint.Copy(t.Context(), s, other(), checkpoint.CopyOptions{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Copy = %v, want errors.ErrUnsupported", err)
	}
	if _, err := checkpoint.Rekey(t.Context(), s, checkpoint.RekeyOptions{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Rekey = %v, want errors.ErrUnsupported", err)
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("somewhere", 5*3600)
	now := time.Date(2030, 1, 2, 3, 4, 5, 678_901_234, zone)
	s := newStore(t, checkpoint.WithClock(func() time.Time { return now }), checkpoint.WithTTL(time.Nanosecond))
	info, err := s.Save(t.Context(), "t", 1)
	want := time.Date(2030, 1, 1, 22, 4, 5, 678_901_000, time.UTC)
	if err != nil || info.SavedAt != want || info.CreatedAt != want || info.ExpiresAt != want.Add(time.Microsecond) {
		t.Errorf("Save = %+v, %v, want %v in UTC and expiry a microsecond later", info, err, want)
	}
	if info, err = s.Save(t.Context(), "t", 1, checkpoint.ExpiresIn(0)); err != nil || !info.ExpiresAt.IsZero() {
		t.Errorf("Save with ExpiresIn(0) = %+v, %v, want one that never expires", info, err)
	}
	now = time.Time{}
	if _, err := s.Save(t.Context(), "t", 1); !errors.Is(err, checkpoint.ErrInvalid) {
		t.Errorf("Save in the year 1 = %v, want ErrInvalid", err)
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	if _, err := s.Save(t.Context(), "a\nb", 1); err != nil {
		t.Fatal(err)
	}
	info, err := s.Save(t.Context(), "a\nb", 1, checkpoint.IfAbsent())
	want := `checkpoint: save "a\nb" (memory): conflict: the thread is at version 1 with id `
	if !errors.Is(err, checkpoint.ErrConflict) || !strings.HasPrefix(err.Error(), want) || info.ID != "" {
		t.Errorf("Save = %+v, %v\nwant %s…", info, err, want)
	}
	conflict, ok := errors.AsType[*checkpoint.ConflictError](err)
	if !ok || conflict.Current.Version != 1 || conflict.Current.Thread != "a\nb" {
		t.Errorf("Save = %#v, want a *ConflictError with the current Info", err)
	}
	_, err = s.Save(t.Context(), "absent", 1, checkpoint.IfMatch("no such id"))
	if want := `checkpoint: save "absent" (memory): conflict: the thread does not exist`; err == nil || err.Error() != want {
		t.Errorf("Save = %v\nwant %s", err, want)
	}
	_, err = s.Stat(t.Context(), "absent")
	if want := `checkpoint: stat "absent" (memory): not found`; err == nil || err.Error() != want {
		t.Errorf("Stat = %v\nwant %s", err, want)
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := newStore(t, checkpoint.WithLogger(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	if _, err := s.Save(t.Context(), "t", "hunter2"); err != nil {
		t.Fatal(err)
	}
	s.Load(t.Context(), "absent", new(any))
	collect(s.List(t.Context(), checkpoint.ListOptions{}))
	type record struct {
		Level, Msg, Op, Driver, Namespace, Thread, Error string
		Version, Bytes, Duration                         int64
	}
	var got []record
	for d := json.NewDecoder(strings.NewReader(out.String())); d.More(); {
		var r record
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		if r.Duration <= 0 {
			t.Errorf("record %+v has no duration", r)
		}
		r.Duration = 0
		got = append(got, r)
	}
	want := []record{
		{"DEBUG", "checkpoint", "save", "memory", "agents", "t", "", 1, 9, 0},
		{"DEBUG", "checkpoint", "load", "memory", "agents", "absent", `checkpoint: load "absent" (memory): not found`, 0, 0, 0},
		{"DEBUG", "checkpoint", "list", "memory", "agents", "", "", 0, 0, 0},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("log\n%v, want\n%v", got, want)
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Errorf("the log shows the state: %s", out.String())
	}
}

// TestPrintsNoState: no verb shows a state, a payload or a key.
func TestPrintsNoState(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2hunter2hunter2hunt"
	ring, err := checkpoint.NewKeyring([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	f := newFake()
	s := checkpoint.New(f, checkpoint.WithEncryption(ring))
	cp := driver.Checkpoint{Payload: []byte(secret)}
	for _, v := range []any{
		s, *ring, ring, cp, &cp, driver.SaveRequest{Payload: []byte(secret)}, driver.ImportRequest{Checkpoint: cp},
		driver.RewriteRequest{Payload: []byte(secret)},
	} {
		var logged bytes.Buffer
		slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "v", v)
		text := fmt.Sprintf("%v %+v %#v %s %d", v, v, v, v, v) + logged.String()
		if strings.Contains(text, "hunter2") || strings.Contains(text, "104 117 110") || strings.Contains(text, "aHVudGVy") || strings.Contains(text, "0x68") {
			t.Errorf("%T prints as %s", v, text)
		}
	}
}

// TestAllocations: what the store itself costs is counted over a backend that
// does nothing, with a payload that needs no encoding.
func TestAllocations(t *testing.T) {
	s := checkpoint.New(noop{})
	ctx := context.Background()
	state := checkpoint.Bytes("state")
	var target checkpoint.Bytes
	for _, tt := range []struct {
		name string
		max  float64
		call func()
	}{
		{"Save", 4, func() { s.Save(ctx, "thread", state) }},
		{"Save with a condition", 8, func() { s.Save(ctx, "thread", state, checkpoint.IfMatch("id"), checkpoint.ExpiresIn(time.Hour)) }},
		{"Load", 2, func() { s.Load(ctx, "thread", &target) }},
		{"Delete", 0, func() { s.Delete(ctx, "thread") }},
	} {
		if got := testing.AllocsPerRun(100, tt.call); got > tt.max {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, got, tt.max)
		}
	}
}

func BenchmarkHandle(b *testing.B) {
	s := checkpoint.New(noop{payload: []byte("state")})
	state, target := checkpoint.Bytes("state"), checkpoint.Bytes{}
	b.Run("Save", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Save(b.Context(), "thread", state)
		}
	})
	b.Run("Load", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Load(b.Context(), "thread", &target)
		}
	})
}

// TestExpiry: an expired thread is absent by the store's clock, and its next save
// begins a new life.
func TestExpiry(t *testing.T) {
	t.Parallel()
	clock := newClock()
	s := newStore(t, checkpoint.WithClock(clock.Now), checkpoint.WithTTL(time.Hour))
	first, err := s.Save(t.Context(), "t", 1)
	if err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Hour - time.Microsecond)
	if _, err := s.Stat(t.Context(), "t"); err != nil {
		t.Errorf("Stat a microsecond before the expiry = %v", err)
	}
	clock.advance(time.Microsecond)
	if _, err := s.Stat(t.Context(), "t"); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("Stat at the expiry = %v, want ErrNotFound", err)
	}
	if _, err := s.Save(t.Context(), "t", 1, checkpoint.IfMatch(first.ID)); !errors.Is(err, checkpoint.ErrConflict) {
		t.Errorf("Save on condition of the former life = %v, want ErrConflict", err)
	}
	again, err := s.Save(t.Context(), "t", 1, checkpoint.IfAbsent())
	if err != nil || again.Version != 1 || !again.CreatedAt.Equal(clock.Now()) {
		t.Errorf("Save = %+v, %v, want version 1 of a new life", again, err)
	}
	clock.advance(2 * time.Hour)
	if n, err := s.Purge(t.Context()); n != 1 || err != nil {
		t.Errorf("Purge = %d, %v, want 1", n, err)
	}
}
