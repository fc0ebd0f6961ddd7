// Kms encrypts states with keys that only a key management service can open.
//
//	go run . # again and again: each run counts on
//
// The store's keys lie sealed in a file, which is worth nothing without the service. A
// program asks the service once, when it starts, and the states never go there. Here
// the service is a local stand-in; what Tink has for AWS, Google Cloud and HashiCorp
// Vault is a tink.AEAD, too.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/sqlite"
)

func main() {
	service, err := localService("kms-stand-in.json")
	if err != nil {
		log.Fatal(err)
	}
	n, err := run(context.Background(), service, "keys.json", "sqlite:checkpoints.db")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("run", n)
}

// run counts the runs in an encrypted state.
func run(ctx context.Context, service tink.AEAD, keyFile, url string) (n int, err error) {
	keys, err := openKeys(service, keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		if err = rotate(service, keyFile); err == nil {
			keys, err = openKeys(service, keyFile)
		}
	}
	if err != nil {
		return 0, err
	}
	store, err := checkpoint.OpenURL(url, checkpoint.WithEncryption(keys))
	if err != nil {
		return 0, err
	}
	defer store.Close()
	_, err = checkpoint.Update(ctx, store, "runs", func(state *int) error {
		*state++
		n = *state
		return nil
	})
	return n, err
}

// bound to the keys' purpose: the service opens them for nothing else.
var purpose = []byte("checkpoint keys")

// rotate puts a new key in front of those in a file, or makes the file. What is saved
// from now on is sealed by it; the keys behind it open what there is. checkpoint.Rekey
// seals that anew, and then they can be removed. Where several processes run, each of
// them needs the new key behind the old one before any has it in front.
func rotate(service tink.AEAD, file string) error {
	sealed, err := sealedKeys(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key := make([]byte, 32)
	rand.Read(key)
	newest, err := service.Encrypt(key, purpose)
	if err != nil {
		return fmt.Errorf("the key management service seals no key: %w", err)
	}
	out, err := json.Marshal(append([][]byte{newest}, sealed...))
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", out, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// openKeys has the service open the keys in a file, the newest first.
func openKeys(service tink.AEAD, file string) (*checkpoint.Keyring, error) {
	sealed, err := sealedKeys(file)
	if err != nil {
		return nil, err
	}
	var keys [][]byte
	for _, s := range sealed {
		key, err := service.Decrypt(s, purpose)
		if err != nil {
			return nil, fmt.Errorf("the key management service does not open the keys in %s: %w", file, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s holds no keys", file)
	}
	return checkpoint.NewKeyring(keys[0], keys[1:]...)
}

func sealedKeys(file string) (sealed [][]byte, err error) {
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, &sealed)
	}
	return sealed, err
}
