package checkpoint_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

var text = strings.Repeat("an agent said this before; ", 20)

// forms are the ways a state can be stored.
func forms(t testing.TB) map[string][]checkpoint.Option {
	flate, seal := checkpoint.WithCompression(flater{"flate"}), checkpoint.WithEncryption(newKeyring(t, 1))
	return map[string][]checkpoint.Option{
		"json":            nil,
		"json+flate":      {flate},
		"json+aead":       {seal},
		"json+flate+aead": {flate, seal},
	}
}

// TestForms: each form is named by the Encoding, and what a store writes with its
// settings every store reads that has the key, whatever else its settings are.
func TestForms(t *testing.T) {
	t.Parallel()
	for encoding, opts := range forms(t) {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			backend := memory.New()
			info, err := checkpoint.New(backend, opts...).Save(t.Context(), "t", text)
			if err != nil || info.Encoding != encoding {
				t.Fatalf("Save = %+v, %v, want the encoding %s", info, err, encoding)
			}
			sealed := strings.HasSuffix(encoding, "+aead")
			for with, opts := range forms(t) {
				got, _, err := checkpoint.Get[string](t.Context(), checkpoint.New(backend, opts...), "t")
				readable := sealed == strings.HasSuffix(with, "+aead") && (with == encoding || !strings.Contains(encoding, "flate") || strings.Contains(with, "flate"))
				if readable && (err != nil || got != text) {
					t.Errorf("Get by a %s store = %d bytes, %v, want the state", with, len(got), err)
				}
				if !readable && (!errors.Is(err, checkpoint.ErrCorrupt) || got != "") {
					t.Errorf("Get by a %s store = %d bytes, %v, want ErrCorrupt", with, len(got), err)
				}
			}
		})
	}
}

// TestCompressionMustPay: a payload that compression makes smaller by less than a
// tenth is stored as it is.
func TestCompressionMustPay(t *testing.T) {
	t.Parallel()
	s := newStore(t, checkpoint.WithCompression(flater{"flate"}))
	for state, want := range map[string]string{"": "bytes", "x": "bytes", "abcdefghij": "bytes", text: "bytes+flate"} {
		info, err := s.Save(t.Context(), "t", checkpoint.Bytes(state))
		if err != nil || info.Encoding != want {
			t.Errorf("Save of %d bytes = %q, %v, want %q", len(state), info.Encoding, err, want)
		}
		if got, _, err := s.Blobs().Get(t.Context(), "t"); err != nil || string(got) != state {
			t.Errorf("Get = %d bytes, %v, want the %d saved", len(got), err, len(state))
		}
	}
}

// TestBitFlips: no flipped bit of a stored payload goes unnoticed where it is
// sealed, and none makes a damaged state where it is not readable JSON.
func TestBitFlips(t *testing.T) {
	t.Parallel()
	for encoding, opts := range forms(t) {
		if !strings.HasSuffix(encoding, "+aead") {
			continue // nothing in plain JSON tells that a letter was another one
		}
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			s := checkpoint.New(f, opts...)
			info, err := s.Save(t.Context(), "t", text)
			if err != nil {
				t.Fatal(err)
			}
			for bit := range info.Size * 8 {
				f.onLoad = func(cp *driver.Checkpoint) error { cp.Payload[bit/8] ^= 1 << (bit % 8); return nil }
				if got, _, err := checkpoint.Get[string](t.Context(), s, "t"); !errors.Is(err, checkpoint.ErrCorrupt) || got != "" {
					t.Fatalf("Get with bit %d flipped = %q, %v, want ErrCorrupt", bit, got, err)
				}
			}
		})
	}
}

// TestSwappedRows: a sealed payload opens only where it was saved.
func TestSwappedRows(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := checkpoint.New(f, checkpoint.WithEncryption(newKeyring(t, 1)), checkpoint.WithHistory(2))
	var stored []driver.Checkpoint
	f.onLoad = func(cp *driver.Checkpoint) error { stored = append(stored, *cp); return nil }
	for _, at := range []struct {
		store  *checkpoint.Store
		thread string
	}{{s, "a"}, {s, "a"}, {s, "b"}, {s.Namespace("other"), "a"}} {
		if _, err := at.store.Save(t.Context(), at.thread, text); err != nil {
			t.Fatal(err)
		}
		if _, err := at.store.Load(t.Context(), at.thread, new(string)); err != nil {
			t.Fatal(err)
		}
	}
	for i, from := range stored {
		f.onLoad = func(cp *driver.Checkpoint) error { cp.Payload = bytes.Clone(from.Payload); return nil }
		for j, to := range stored {
			_, err := s.Namespace(to.Namespace).LoadVersion(t.Context(), to.Thread, to.Version, new(string))
			if i == j && err != nil || i != j && !errors.Is(err, checkpoint.ErrCorrupt) {
				t.Errorf("payload of %s/%s/%d in place of %s/%s/%d: %v", from.Namespace, from.Thread, from.Version, to.Namespace, to.Thread, to.Version, err)
			}
		}
	}
}

// TestEncryptionErrors: each way in which a payload cannot be opened says what to
// do about it.
func TestEncryptionErrors(t *testing.T) {
	t.Parallel()
	f := newFake()
	plain := checkpoint.New(f)
	sealed := checkpoint.New(f, checkpoint.WithEncryption(newKeyring(t, 1)))
	if _, err := plain.Save(t.Context(), "plain", text); err != nil {
		t.Fatal(err)
	}
	if _, err := sealed.Save(t.Context(), "sealed", text); err != nil {
		t.Fatal(err)
	}
	rename := func(encoding string) func(*driver.Checkpoint) error {
		return func(cp *driver.Checkpoint) error { cp.Encoding = encoding; return nil }
	}
	for name, tt := range map[string]struct {
		store  *checkpoint.Store
		thread string
		onLoad func(*driver.Checkpoint) error
		want   string
	}{
		"plaintext":             {sealed, "plain", nil, "it is not encrypted, and a store with WithEncryption refuses plaintext"},
		"no key":                {plain, "sealed", nil, "it is encrypted; open the store with WithEncryption and its key"},
		"other key":             {checkpoint.New(f, checkpoint.WithEncryption(newKeyring(t, 2, 3))), "sealed", nil, "it was encrypted with a key that is not in this store's keyring"},
		"called plain":          {sealed, "sealed", rename("json"), "refuses plaintext"},
		"another codec":         {sealed, "sealed", rename("bytes+aead"), "it cannot be decrypted"},
		"a step more":           {sealed, "sealed", rename("json+flate+aead"), "it cannot be decrypted"},
		"unknown compressor":    {plain, "plain", rename("json+lz77"), `it was compressed with "lz77", which is not registered`},
		"steps without an end":  {plain, "plain", rename("json+a+b+c"), "it names steps of encoding that do not exist"},
		"aead where it is none": {plain, "plain", rename("json+aead+x"), "it names steps of encoding that do not exist"},
		"no encoding":           {plain, "plain", rename(""), `it was encoded by the codec ""`},
	} {
		t.Run(name, func(t *testing.T) {
			f.onLoad = tt.onLoad
			var got string
			_, err := tt.store.Load(t.Context(), tt.thread, &got)
			if !errors.Is(err, checkpoint.ErrCorrupt) || !strings.Contains(err.Error(), tt.want) || got != "" {
				t.Errorf("Load = %q, %v, want ErrCorrupt with %q", got, err, tt.want)
			}
		})
	}
}

// TestUnpackingIsBounded: what a payload decompresses to is held to the store's
// limit.
func TestUnpackingIsBounded(t *testing.T) {
	t.Parallel()
	backend := memory.New()
	flate := checkpoint.WithCompression(flater{"flate"})
	if _, err := checkpoint.New(backend, flate).Save(t.Context(), "t", text); err != nil {
		t.Fatal(err)
	}
	_, _, err := checkpoint.Get[string](t.Context(), checkpoint.New(backend, flate, checkpoint.WithMaxStateSize(len(text))), "t")
	if !errors.Is(err, checkpoint.ErrTooLarge) {
		t.Errorf("Get by a store with a lower limit = %v, want ErrTooLarge", err)
	}
	if _, _, err := checkpoint.Get[string](t.Context(), checkpoint.New(backend, flate, checkpoint.WithMaxStateSize(len(text)+2)), "t"); err != nil {
		t.Errorf("Get by a store with just that limit = %v", err)
	}
}

// TestReplaySealed: Restore and Fork seal for the new place, and keep what needs
// no key as it is.
func TestReplaySealed(t *testing.T) {
	t.Parallel()
	for encoding, opts := range forms(t) {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			s := checkpoint.New(f, append(opts, checkpoint.WithHistory(5))...)
			ctx := t.Context()
			for _, state := range []string{text, "second"} {
				if _, err := s.Save(ctx, "t", state, checkpoint.Metadata(map[string]string{"step": "x"})); err != nil {
					t.Fatal(err)
				}
			}
			first, err := s.LoadVersion(ctx, "t", 1, new(string))
			if err != nil {
				t.Fatal(err)
			}
			restored, err := s.Restore(ctx, "t", 1)
			if err != nil || restored.Version != 3 || restored.Encoding != encoding || fmt.Sprint(restored.Metadata) != "map[restored_from:1]" {
				t.Errorf("Restore = %+v, %v, want version 3 as %s, restored from 1", restored, err, encoding)
			}
			forked, err := s.Fork(ctx, "t", 1, "u")
			if err != nil || forked.Version != 1 || forked.Thread != "u" || fmt.Sprint(forked.Metadata) != "map[forked_from:"+first.ID+"]" {
				t.Errorf("Fork = %+v, %v, want version 1 of u, forked from %s", forked, err, first.ID)
			}
			for _, thread := range []string{"t", "u"} {
				if got, _, err := checkpoint.Get[string](ctx, s, thread); err != nil || got != text {
					t.Errorf("Get(%s) = %q, %v, want the first state", thread, got, err)
				}
			}
			if _, err := s.Fork(ctx, "t", 1, "u"); !errors.Is(err, checkpoint.ErrConflict) {
				t.Errorf("Fork over a thread that exists = %v, want ErrConflict", err)
			}
			if strings.HasSuffix(encoding, "+aead") {
				if _, err := checkpoint.New(f).Restore(ctx, "t", 1); !errors.Is(err, checkpoint.ErrCorrupt) {
					t.Errorf("Restore without the key = %v, want ErrCorrupt", err)
				}
			} else if _, err := checkpoint.New(f, checkpoint.WithEncryption(newKeyring(t, 1))).Restore(ctx, "t", 1); !errors.Is(err, checkpoint.ErrCorrupt) {
				t.Errorf("Restore of plaintext by a store with a key = %v, want ErrCorrupt", err)
			}
		})
	}
}

func FuzzUnpack(f *testing.F) {
	ring := newKeyring(f, 1)
	for _, encoding := range []string{"json", "bytes", "json+flate", "bytes+flate+aead", "+", "json+", "+aead", "aead"} {
		f.Add([]byte(`{"a":1}`), encoding, false)
		f.Add(flater{}.Compress(nil, []byte(text)), encoding, true)
	}
	f.Fuzz(func(t *testing.T, data []byte, encoding string, keyed bool) {
		fake := newFake()
		opts := []checkpoint.Option{checkpoint.WithCompression(flater{"flate"}), checkpoint.WithMaxStateSize(1 << 16)}
		if keyed {
			opts = append(opts, checkpoint.WithEncryption(ring))
		}
		s := checkpoint.New(fake, opts...)
		if _, err := s.Save(t.Context(), "t", 1); err != nil {
			t.Fatal(err)
		}
		fake.onLoad = func(cp *driver.Checkpoint) error { cp.Payload, cp.Encoding = data, encoding; return nil }
		for _, target := range []any{new(any), new(checkpoint.Bytes), new(struct{ A []string })} {
			_, err := s.Load(t.Context(), "t", target)
			if err != nil && !errors.Is(err, checkpoint.ErrCorrupt) && !errors.Is(err, checkpoint.ErrTooLarge) {
				t.Errorf("Load of %q as %q = %v, want ErrCorrupt or ErrTooLarge", data, encoding, err)
			}
			if keyed && err == nil {
				t.Errorf("Load of %q as %q opened what nobody sealed", data, encoding)
			}
		}
	})
}
