package checkpoint_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
)

// FuzzOpen: whatever a DSN is, Open returns a store or an error of its own that
// names no password.
func FuzzOpen(f *testing.F) {
	for _, dsn := range []string{"", "memory:x", "?ttl=1h&history=all", "?ttl=%", "a?b?c=d", "?=", "?&&", "?addr=1&addr=2", "?namespace=a%20b", "?max_state_size=99999999999999999999"} {
		f.Add(dsn)
	}
	f.Fuzz(func(t *testing.T, dsn string) {
		s, err := checkpoint.Open("memory", dsn)
		if err == nil {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			return
		}
		if !errors.Is(err, checkpoint.ErrInvalid) {
			t.Errorf("Open(%q) = %v, want ErrInvalid", dsn, err)
		}
		if _, err := checkpoint.Open("memory", "user:hunter2?"+dsn); err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open shows a password: %v", err)
		}
	})
}

// FuzzThread: a thread's name is refused with ErrInvalid, or is one that List
// gives back as it was.
func FuzzThread(f *testing.F) {
	for _, name := range []string{"user-123", "", "a\x00b", "\xff", "%_*?[]{}", strings.Repeat("x", 513), "é", "e\u0301", "\U0001f916"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		s := newStore(t)
		if _, err := s.Save(t.Context(), name, 1); err != nil {
			if !errors.Is(err, checkpoint.ErrInvalid) {
				t.Errorf("Save(%q) = %v, want ErrInvalid", name, err)
			}
			return
		}
		infos, err := collect(s.List(t.Context(), checkpoint.ListOptions{Prefix: name}))
		if err != nil || len(infos) != 1 || infos[0].Thread != name {
			t.Errorf("List with the prefix %q = %v, %v, want that thread", name, infos, err)
		}
	})
}

// FuzzSaveMetadata: metadata is refused with ErrInvalid before anything is sent,
// or comes back as it was.
func FuzzSaveMetadata(f *testing.F) {
	for _, s := range []string{"", "k", "a\x00b", "\xff", "\n%'\\", strings.Repeat("x", 300), strings.Repeat("x", 5000), "\U0001f916"} {
		f.Add(s, s)
		f.Add("k", s)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		s := newStore(t)
		want := map[string]string{key: value, "other": "1"}
		if _, err := s.Save(t.Context(), "t", 1, checkpoint.Metadata(want)); err != nil {
			if !errors.Is(err, checkpoint.ErrInvalid) {
				t.Errorf("Save with the metadata %q = %v, want ErrInvalid", want, err)
			}
			if _, err := s.Stat(t.Context(), "t"); !errors.Is(err, checkpoint.ErrNotFound) {
				t.Errorf("after a refused save, Stat = %v, want ErrNotFound", err)
			}
			return
		}
		info, err := s.Stat(t.Context(), "t")
		if err != nil || !maps.Equal(info.Metadata, want) {
			t.Errorf("Stat = %q, %v, want the metadata %q", info.Metadata, err, want)
		}
	})
}
