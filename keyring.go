package checkpoint

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// A Keyring is an [AEAD] with AES-256-GCM: it encrypts with its primary key and
// decrypts with any of its keys. It prints without them.
//
// A ciphertext is one byte of format (1), 8 bytes that name the key, a random
// nonce of 12 bytes, the encrypted text, and a tag of 16 bytes. Random nonces
// allow about 2^32 encryptions with one key (NIST SP 800-38D, section 8.3);
// rotate to a new primary key well before.
type Keyring struct {
	primary keyID
	keys    map[keyID]cipher.AEAD
}

// A keyID names a key in the header of what it sealed, without telling it.
type keyID [8]byte

const (
	keyringFormat = 1
	headerSize    = 1 + len(keyID{})
	keySize       = 32
)

var errUnknownKey = errors.New("it was encrypted with a key that is not in this store's keyring")

// NewKeyring returns a keyring of 32-byte keys, which must come from a source of
// randomness or a key management service, not from a password. To rotate, make
// a new key the primary one and list the old ones as older for as long as
// checkpoints sealed with them are kept.
func NewKeyring(primary []byte, older ...[]byte) (*Keyring, error) {
	k := &Keyring{keys: make(map[keyID]cipher.AEAD, 1+len(older))}
	for i, key := range append([][]byte{primary}, older...) {
		if len(key) != keySize {
			return nil, fmt.Errorf("%w key: key %d of the keyring has %d bytes; AES-256 needs %d", ErrInvalid, i+1, len(key), keySize)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		id := identify(key)
		if i == 0 {
			k.primary = id
		}
		k.keys[id] = aead
	}
	return k, nil
}

func identify(key []byte) keyID {
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, "checkpoint key id")
	return keyID(mac.Sum(nil))
}

// Encrypt implements [AEAD] with the primary key.
func (k *Keyring) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	aead := k.keys[k.primary]
	out := make([]byte, 0, headerSize+len(plaintext)+aead.Overhead())
	out = append(out, keyringFormat)
	out = append(out, k.primary[:]...)
	return aead.Seal(out, nil, plaintext, associatedData), nil
}

// Decrypt implements [AEAD] with the key that the ciphertext names.
func (k *Keyring) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	if len(ciphertext) < headerSize || ciphertext[0] != keyringFormat {
		return nil, errors.New("it is no ciphertext of a Keyring")
	}
	aead, ok := k.keys[keyID(ciphertext[1:headerSize])]
	if !ok {
		return nil, errUnknownKey
	}
	return aead.Open([]byte{}, nil, ciphertext[headerSize:], associatedData)
}

// Current reports whether a ciphertext was made with the primary key.
func (k *Keyring) Current(ciphertext []byte) bool {
	return len(ciphertext) >= headerSize && ciphertext[0] == keyringFormat && keyID(ciphertext[1:headerSize]) == k.primary
}

// Format implements fmt.Formatter: no verb prints a key.
func (k *Keyring) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "checkpoint.Keyring(%d keys)", len(k.keys))
}
