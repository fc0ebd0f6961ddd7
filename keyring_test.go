package checkpoint_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/go-ckpt/checkpoint"
)

// key returns a key that is told apart by its number.
func key(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }

func newKeyring(t testing.TB, primary byte, older ...byte) *checkpoint.Keyring {
	t.Helper()
	var keys [][]byte
	for _, n := range older {
		keys = append(keys, key(n))
	}
	ring, err := checkpoint.NewKeyring(key(primary), keys...)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestKeyringKeys(t *testing.T) {
	t.Parallel()
	for _, keys := range [][][]byte{{nil}, {make([]byte, 16)}, {make([]byte, 33)}, {key(1), key(2)[:31]}} {
		if _, err := checkpoint.NewKeyring(keys[0], keys[1:]...); !errors.Is(err, checkpoint.ErrInvalid) {
			t.Errorf("NewKeyring of %d keys = %v, want ErrInvalid", len(keys), err)
		}
	}
}

func TestKeyringRotation(t *testing.T) {
	t.Parallel()
	text, ad := []byte("plan"), []byte("place")
	sealed, err := newKeyring(t, 1).Encrypt(text, ad)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		ring    *checkpoint.Keyring
		opens   bool
		current bool
	}{
		"same key":    {newKeyring(t, 1), true, true},
		"rotated":     {newKeyring(t, 2, 1), true, false},
		"old primary": {newKeyring(t, 1, 2), true, true},
		"dropped":     {newKeyring(t, 2, 3), false, false},
	} {
		got, err := tt.ring.Decrypt(sealed, ad)
		if (err == nil) != tt.opens || tt.opens && !bytes.Equal(got, text) {
			t.Errorf("%s: Decrypt = %q, %v, want success %v", name, got, err, tt.opens)
		}
		if got := tt.ring.Current(sealed); got != tt.current {
			t.Errorf("%s: Current = %v, want %v", name, got, tt.current)
		}
	}
	again, err := newKeyring(t, 1).Encrypt(text, ad)
	if err != nil || bytes.Equal(sealed, again) {
		t.Errorf("Encrypt twice gave the same ciphertext, %v", err)
	}
	if len(sealed) != 1+8+12+len(text)+16 {
		t.Errorf("a ciphertext has %d bytes, want %d more than the text", len(sealed), 37)
	}
}

// TestKeyringBitFlips: every bit of a ciphertext and of its associated data
// counts, and so does every byte of its length.
func TestKeyringBitFlips(t *testing.T) {
	t.Parallel()
	ring, text, ad := newKeyring(t, 1), []byte("plan"), []byte("place")
	sealed, err := ring.Encrypt(text, ad)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(sealed) * 8 {
		sealed[bit/8] ^= 1 << (bit % 8)
		if got, err := ring.Decrypt(sealed, ad); err == nil {
			t.Errorf("Decrypt with bit %d flipped = %q, want an error", bit, got)
		}
		sealed[bit/8] ^= 1 << (bit % 8)
	}
	for n := range len(sealed) {
		if got, err := ring.Decrypt(sealed[:n], ad); err == nil {
			t.Errorf("Decrypt of %d bytes = %q, want an error", n, got)
		}
	}
	if got, err := ring.Decrypt(sealed, []byte("palce")); err == nil {
		t.Errorf("Decrypt with other associated data = %q, want an error", got)
	}
}
