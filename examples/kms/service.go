package main

import (
	"errors"
	"io/fs"
	"os"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// localService stands in for a key management service: its key lies in a file, which
// a real service never gives away.
func localService(file string) (tink.AEAD, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return newService(file)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(f))
	if err != nil {
		return nil, err
	}
	return aead.New(handle)
}

func newService(file string) (tink.AEAD, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	err = insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(f))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	return aead.New(handle)
}
