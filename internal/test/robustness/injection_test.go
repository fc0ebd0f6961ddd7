package robustness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
)

// hostile are strings that mean something to SQL, Lua, Redis, DynamoDB, globs,
// regular expressions, formats, shells or paths.
var hostile = []string{
	`'; DROP TABLE agent_checkpoints; --`, `" OR ""="`, `') OR 1=1 --`, `$1`, `?`, `:name`, `@p`, `%`, `_`, `\`, `\\'`, `*`, `[a-z]`, `.*`, `{0}`,
	`{a}`, `}{`, `#`, `#latest`, `agents:0`, `]]; redis.call('FLUSHALL') --`, `"\r\n*1\r\n$8\r\nFLUSHALL\r\n`, "a\r\nFLUSHALL\r\n", `%s%n%d`, `$(id)`, "`id`",
	`../../etc/passwd`, `/`, `\x00`, `\u0000`, "\u202e", "\ufeff", "a\u0300", "\U0010ffff", "$$", `$body$`, `E'\''`, `NULL`, `null`, `-1`, `1e9`, ` `, "\t",
	strings.Repeat("é", 256), strings.Repeat("x", 512),
}

// TestInjection saves hostile strings in every place that takes one, in a
// namespace between two others, and looks whether each stays what it is and
// whether anything beside it changes.
func TestInjection(t *testing.T) {
	eachSystem(t, func(t *testing.T, d *deployment) {
		ctx := t.Context()
		b := d.handle(t)
		store := checkpoint.New(b, checkpoint.WithNamespace("injection"), checkpoint.WithHistory(2))
		walls := []*checkpoint.Store{store.Namespace("injectio"), store.Namespace("injection."), store.Namespace("Injection")}
		for _, wall := range walls {
			for _, thread := range []string{"wall", "%", "a"} {
				if _, err := wall.Save(ctx, thread, "untouched"); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i, s := range hostile {
			metadata := map[string]string{s: s, "k": s}
			if len(s) > 400 {
				metadata = map[string]string{"k": s}
			}
			for range 2 {
				if _, err := store.Save(ctx, s, map[string]string{s: s}, checkpoint.Metadata(metadata)); err != nil {
					t.Fatalf("Save(%q): %v", s, err)
				}
			}
			got := map[string]string{}
			info, err := store.Load(ctx, s, &got)
			if err != nil || info.Thread != s || got[s] != s || info.Metadata["k"] != s || info.Version != 2 {
				t.Errorf("Load(%q) = %v, %v, %v, want what was saved", s, info, got, err)
			}
			// As the id of a condition it matches nothing, or cannot be one.
			if _, err := store.Save(ctx, s, 1, checkpoint.IfMatch(s)); !errors.Is(err, driver.ErrConflict) && !errors.Is(err, driver.ErrInvalid) {
				t.Errorf("Save with IfMatch(%q) = %v, want a conflict or ErrInvalid", s, err)
			}
			if d.indexLag {
				continue
			}
			want := matching(hostile[:i+1], func(name string) bool { return strings.HasPrefix(name, s) })
			if got := names(t, store, checkpoint.ListOptions{Prefix: s}); !slices.Equal(got, want) {
				t.Errorf("List with the prefix %q = %q, want %q", s, got, want)
			}
			want = matching(hostile[:i+1], func(name string) bool { return name > s })
			if got := names(t, store, checkpoint.ListOptions{After: s}); !slices.Equal(got, want) {
				t.Errorf("List after %q = %q, want %q", s, got, want)
			}
		}
		ids(ctx, t, b)
		for _, s := range hostile {
			if err := store.Delete(ctx, s); err != nil {
				t.Errorf("Delete(%q): %v", s, err)
			}
		}
		if _, err := store.Purge(ctx); err != nil {
			t.Error(err)
		}
		if got := names(t, store, checkpoint.ListOptions{}); len(got) > 0 {
			t.Errorf("after deleting all, List = %q, want none", got)
		}
		for _, wall := range walls {
			if got, want := names(t, wall, checkpoint.ListOptions{}), []string{"%", "a", "wall"}; !slices.Equal(got, want) {
				t.Errorf("another namespace lists %q, want %q", got, want)
			}
			for _, thread := range []string{"wall", "%", "a"} {
				var got string
				info, err := wall.Load(ctx, thread, &got)
				if err != nil || got != "untouched" || info.Version != 1 {
					t.Errorf("Load of another namespace = %q version %d, %v, want it untouched", got, info.Version, err)
				}
			}
		}
	})
}

// ids saves hostile ids and encodings, of the characters that rule them, at the
// level of the driver.
func ids(ctx context.Context, t *testing.T, b driver.Backend) {
	t.Helper()
	for i, id := range []string{`'; DROP--`, `"`, `-`, `=x`, `%d`, `+ -1 2 3`, `*`, `{a}`, `id:x`, `$1`, `\`} {
		key := driver.Key{Namespace: "injection.ids", Thread: fmt.Sprint("thread ", i)}
		req := driver.SaveRequest{Key: key, ID: id, Payload: []byte("x"), Encoding: "a'b%\"", Now: crashNow, Keep: 2}
		if _, err := b.Save(ctx, req); err != nil {
			t.Errorf("Save with the id %q: %v", id, err)
		}
		req.ID, req.Match.ID = id+"2", id
		if _, err := b.Save(ctx, req); err != nil {
			t.Errorf("Save with a condition on the id %q: %v", id, err)
		}
		cp, err := b.Load(ctx, driver.LoadRequest{Key: key, Version: 1, Now: crashNow})
		if err != nil || cp.ID != id || cp.Encoding != req.Encoding || string(cp.Payload) != "x" {
			t.Errorf("Load = %v, %v, want the id %q", cp, err, id)
		}
	}
}

// matching returns the names that fit, sorted, each once.
func matching(names []string, fits func(string) bool) []string {
	var found []string
	for _, name := range names {
		if fits(name) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func names(t *testing.T, s *checkpoint.Store, o checkpoint.ListOptions) []string {
	t.Helper()
	var names []string
	for info, err := range s.List(t.Context(), o) {
		if err != nil {
			t.Fatalf("List(%+v): %v", o, err)
		}
		names = append(names, info.Thread)
	}
	return names
}
