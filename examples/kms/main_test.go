package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
)

func TestRun(t *testing.T) {
	folder := t.TempDir()
	in := func(name string) string { return filepath.Join(folder, name) }
	url := "sqlite:" + in("agents.db")
	service, err := localService(in("service.json"))
	if err != nil {
		t.Fatal(err)
	}
	runs := func(want int) {
		t.Helper()
		if n, err := run(t.Context(), service, in("keys.json"), url); err != nil || n != want {
			t.Fatalf("run = %d, %v, want %d", n, err, want)
		}
	}
	runs(1)
	if service, err = localService(in("service.json")); err != nil { // as another process
		t.Fatal(err)
	}
	runs(2)
	if err := rotate(service, in("keys.json")); err != nil {
		t.Fatal(err)
	}
	runs(3)

	// Once everything is sealed by the new key, the old one can go.
	keys, err := openKeys(service, in("keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	store, err := checkpoint.OpenURL(url, checkpoint.WithEncryption(keys))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := checkpoint.Rekey(t.Context(), store, checkpoint.RekeyOptions{}); err != nil {
		t.Fatal(err)
	}
	store.Close()

	stranger, err := localService(in("another.json"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), stranger, in("keys.json"), url); err == nil || !strings.Contains(err.Error(), "does not open the keys") {
		t.Errorf("with another service: %v", err)
	}
	if err := os.Remove(in("keys.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), service, in("keys.json"), url); err == nil {
		t.Error("a state opened with keys that have not sealed it")
	}
}
