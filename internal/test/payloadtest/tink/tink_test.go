// Package tink shows that any AEAD of Tink encrypts a store. It is a module of
// its own so that Tink is no dependency of the project.
package tink

import (
	"errors"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/testing/fakekms"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

func TestTink(t *testing.T) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := aead.New(handle)
	if err != nil {
		t.Fatal(err)
	}
	saveAndLoad(t, keys)
}

// TestEnvelope encrypts every state with a data key of its own, which a key
// management service seals.
func TestEnvelope(t *testing.T) {
	uri, err := fakekms.NewKeyURI()
	if err != nil {
		t.Fatal(err)
	}
	client, err := fakekms.NewClient(uri)
	if err != nil {
		t.Fatal(err)
	}
	remote, err := client.GetAEAD(uri)
	if err != nil {
		t.Fatal(err)
	}
	saveAndLoad(t, aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), remote))
}

func saveAndLoad(t *testing.T, keys checkpoint.AEAD) {
	t.Helper()
	backend := memory.New()
	s := checkpoint.New(backend, checkpoint.WithEncryption(keys), checkpoint.WithHistory(2))
	info, err := s.Save(t.Context(), "thread", "state")
	if err != nil || info.Encoding != "json+aead" {
		t.Fatalf("Save = %+v, %v, want json+aead", info, err)
	}
	if got, _, err := checkpoint.Get[string](t.Context(), s, "thread"); err != nil || got != "state" {
		t.Errorf("Get = %q, %v, want the state", got, err)
	}
	if _, err := s.Restore(t.Context(), "thread", 1); err != nil {
		t.Errorf("Restore = %v", err)
	}
	if _, err := checkpoint.Rekey(t.Context(), s, checkpoint.RekeyOptions{}); err != nil {
		t.Errorf("Rekey = %v", err)
	}
	if _, _, err := checkpoint.Get[string](t.Context(), checkpoint.New(backend), "thread"); !errors.Is(err, checkpoint.ErrCorrupt) {
		t.Errorf("Get without the keys = %v, want ErrCorrupt", err)
	}
}
