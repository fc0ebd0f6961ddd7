package cli

import (
	"encoding/base64"
	"strings"

	"github.com/go-ckpt/checkpoint"
)

// parseKeys reads the keys of an encrypted store.
func (s source) parseKeys() (*checkpoint.Keyring, error) {
	var keys [][]byte
	for i, text := range strings.Split(s.keys, ",") {
		text = strings.TrimRight(strings.TrimSpace(text), "=")
		key, err := base64.RawStdEncoding.DecodeString(text)
		if err != nil {
			key, err = base64.RawURLEncoding.DecodeString(text)
		}
		if err != nil {
			return nil, usagef("key %d of %s is not base64 (make one with: head -c 32 /dev/urandom | base64)", i+1, s.keysFrom)
		}
		keys = append(keys, key)
	}
	keyring, err := checkpoint.NewKeyring(keys[0], keys[1:]...)
	if err != nil {
		return nil, usagef("%s: %w (make one with: head -c 32 /dev/urandom | base64)", s.keysFrom, err)
	}
	return keyring, nil
}
