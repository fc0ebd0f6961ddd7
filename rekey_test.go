package checkpoint_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

func TestRekey(t *testing.T) {
	t.Parallel()
	all := checkpoint.WithHistory(checkpoint.KeepAll)
	b := memory.New()
	old := checkpoint.New(b, all, checkpoint.WithEncryption(newKeyring(t, 1)), checkpoint.WithCompression(flater{"flate"}))
	fill(t, old, 10, 3)
	before := contents(t, b, "agents", "agents")

	if _, err := checkpoint.Rekey(t.Context(), checkpoint.New(b, checkpoint.WithEncryption(newKeyring(t, 2))), checkpoint.RekeyOptions{}); !errors.Is(err, checkpoint.ErrCorrupt) {
		t.Fatalf("Rekey without the older key = %v, want ErrCorrupt", err)
	}
	rotating := checkpoint.New(b, all, checkpoint.WithEncryption(newKeyring(t, 2, 1)))
	part, err := checkpoint.Rekey(t.Context(), rotating, checkpoint.RekeyOptions{Prefix: "thread/000"})
	if want := (checkpoint.RekeyStats{Threads: 1, Checkpoints: 3, Rewritten: 3, Bytes: part.Bytes}); err != nil || part != want {
		t.Fatalf("Rekey of one thread = %+v, %v, want %+v", part, err, want)
	}
	rest, err := checkpoint.Rekey(t.Context(), rotating, checkpoint.RekeyOptions{})
	if want := (checkpoint.RekeyStats{Threads: 10, Checkpoints: 30, Rewritten: 27, Bytes: rest.Bytes}); err != nil || rest != want {
		t.Fatalf("Rekey of all = %+v, %v, want %+v", rest, err, want)
	}

	rotated := checkpoint.New(b, checkpoint.WithEncryption(newKeyring(t, 2)), checkpoint.WithCompression(flater{"flate"}))
	after := contents(t, b, "agents", "agents")
	if len(after) != len(before) {
		t.Fatalf("%d checkpoints, want %d", len(after), len(before))
	}
	for i, cp := range after {
		if reflect.DeepEqual(cp.Payload, before[i].Payload) {
			t.Errorf("%s version %d was not sealed anew", cp.Thread, cp.Version)
		}
		var state string
		if _, err := rotated.LoadVersion(t.Context(), cp.Thread, cp.Version, &state); err != nil || state == "" {
			t.Errorf("%s version %d with the new key alone = %v", cp.Thread, cp.Version, err)
		}
		cp.Payload, cp.Size, before[i].Payload, before[i].Size = nil, 0, nil, 0
		if !reflect.DeepEqual(cp, before[i]) {
			t.Errorf("Rekey changed %+v\nto %+v", before[i], cp)
		}
	}
}

// TestRekeyPlaintext: payloads that are not sealed are an error, or are sealed,
// as the caller asks.
func TestRekeyPlaintext(t *testing.T) {
	t.Parallel()
	b := memory.New()
	fill(t, checkpoint.New(b), 3, 1)
	s := checkpoint.New(b, checkpoint.WithEncryption(newKeyring(t, 1)))
	if stats, err := checkpoint.Rekey(t.Context(), s, checkpoint.RekeyOptions{}); !errors.Is(err, checkpoint.ErrCorrupt) || stats.Rewritten != 0 {
		t.Errorf("Rekey of plaintext = %+v, %v, want ErrCorrupt", stats, err)
	}
	stats, err := checkpoint.Rekey(t.Context(), s, checkpoint.RekeyOptions{Plaintext: true})
	if err != nil || stats.Rewritten != 3 {
		t.Errorf("Rekey of plaintext when asked = %+v, %v, want 3 rewritten", stats, err)
	}
	if got, _, err := checkpoint.Get[string](t.Context(), s, "thread/001"); err != nil || got == "" {
		t.Errorf("Get = %q, %v, want the state", got, err)
	}
}

// nextLife is a backend in which the thread that is about to be rewritten is deleted
// before, and saved again.
type nextLife struct {
	driver.Backend
	begin func(thread string)
}

func (b nextLife) Rewrite(ctx context.Context, req driver.RewriteRequest) error {
	b.begin(req.Thread)
	return b.Backend.(driver.Rewriter).Rewrite(ctx, req)
}

// TestRekeyNextLife: a thread that is deleted and saved again with the same id, while it
// is sealed anew, keeps its new state.
func TestRekeyNextLife(t *testing.T) {
	t.Parallel()
	b := memory.New()
	rotating := checkpoint.WithEncryption(newKeyring(t, 2, 1))
	now := time.Now()
	s := checkpoint.New(b, rotating, checkpoint.WithClock(func() time.Time { return now }))
	save := func(s *checkpoint.Store, state string) {
		t.Helper()
		if _, err := s.Save(t.Context(), "thread", state, checkpoint.WithID("step-1")); err != nil {
			t.Fatal(err)
		}
	}
	save(checkpoint.New(b, checkpoint.WithEncryption(newKeyring(t, 1))), "former")
	between := nextLife{b, func(thread string) {
		if err := s.Delete(t.Context(), thread); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
		save(s, "present")
	}}
	if stats, err := checkpoint.Rekey(t.Context(), checkpoint.New(between, rotating), checkpoint.RekeyOptions{Concurrency: 1}); err != nil || stats.Rewritten != 0 {
		t.Errorf("Rekey = %+v, %v, want nothing rewritten", stats, err)
	}
	if state, _, err := checkpoint.Get[string](t.Context(), s, "thread"); err != nil || state != "present" {
		t.Errorf("Get = %q, %v, want the state of the present life", state, err)
	}
}
