package checkpoint

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/registry"
)

// A payload is a state on its way to the database or back: encoded, then
// compressed, then sealed. Its encoding names the codec and the steps that
// followed, joined by '+': "json", "json+zstd", "json+zstd+aead". Readers undo
// what it names, whatever their own settings are, so that checkpoints written
// with different settings stand side by side. No driver knows any of it.
type payload struct {
	data     []byte
	encoding string
}

// stepSealed is the step of encryption.
const stepSealed = "aead"

// A Compressor makes payloads smaller. It must be safe for concurrent use.
type Compressor interface {
	// Name is stored with every payload and finds the compressor again: at most
	// 64 printable ASCII characters without space and '+', and not "aead".
	Name() string

	// Compress appends the compressed src to dst.
	Compress(dst, src []byte) []byte

	// Decompress appends the decompressed src to dst. It must not allocate much
	// more than max bytes: where src yields more than max, the error matches
	// ErrTooLarge.
	Decompress(dst, src []byte, max int) ([]byte, error)
}

// An AEAD encrypts and authenticates: a [Keyring], or any tink.AEAD. It must be
// safe for concurrent use.
type AEAD interface {
	// Encrypt returns a ciphertext that only Decrypt with the same
	// associatedData opens.
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

var compressors = registry.New[Compressor]("compressor")

// RegisterCompressor makes a compressor available to the DSN word compress, and
// to every store for reading. It is called from the init function of the
// compressor's package, and panics if the name is not allowed or taken.
func RegisterCompressor(c Compressor) {
	if c == nil {
		panic("checkpoint: RegisterCompressor of a nil compressor")
	}
	if err := checkStepName(c.Name(), stepSealed); err != nil {
		panic("checkpoint: RegisterCompressor: " + err.Error())
	}
	compressors.Register(c.Name(), c)
}

func compressorsWanted() string {
	if names := compressors.Names(); len(names) > 0 {
		return "a registered compressor: " + strings.Join(names, ", ")
	}
	return "a registered compressor, and none is (forgotten import of github.com/go-ckpt/checkpoint/zstd?)"
}

// pack compresses and seals an encoded payload for one checkpoint.
func (s *Store) pack(p payload, key driver.Key, id string) (payload, error) {
	if s.compressor != nil {
		small := s.compressor.Compress(nil, p.data)
		if saved := len(p.data) - len(small); saved > 0 && saved >= len(p.data)/10 {
			p = payload{small, p.encoding + "+" + s.compressor.Name()}
		}
	}
	if s.aead != nil {
		return s.seal(p, key, id)
	}
	return p, nil
}

// unpack opens and decompresses a stored payload; its encoding is then the
// codec's name.
func (s *Store) unpack(cp driver.Checkpoint) (payload, error) {
	p, err := s.open(cp)
	if err != nil {
		return p, err
	}
	codec, step, compressed := strings.Cut(p.encoding, "+")
	if !compressed {
		return p, nil
	}
	c, err := s.findCompressor(step)
	if err != nil {
		return p, err
	}
	data, err := c.Decompress(nil, p.data, s.maxSize)
	switch {
	case errors.Is(err, ErrTooLarge) || err == nil && len(data) > s.maxSize:
		return p, fmt.Errorf("%w: it decompresses to more than this store's %d bytes (raise it with WithMaxStateSize or max_state_size)", ErrTooLarge, s.maxSize)
	case err != nil:
		return p, fmt.Errorf("%w: %s cannot decompress it", ErrCorrupt, step)
	}
	return payload{data, codec}, nil
}

func (s *Store) findCompressor(name string) (Compressor, error) {
	if s.compressor != nil && s.compressor.Name() == name {
		return s.compressor, nil
	}
	if c, ok := compressors.Lookup(name); ok {
		return c, nil
	}
	if checkStepName(name) != nil {
		return nil, fmt.Errorf("%w: it names steps of encoding that do not exist", ErrCorrupt)
	}
	return nil, fmt.Errorf("%w: it was compressed with %q, which is not registered (forgotten import?)", ErrCorrupt, name)
}

// seal encrypts a payload for one checkpoint.
func (s *Store) seal(p payload, key driver.Key, id string) (payload, error) {
	sealed := payload{encoding: p.encoding + "+" + stepSealed}
	var err error
	if sealed.data, err = s.aead.Encrypt(p.data, associatedData(key, id, sealed.encoding)); err != nil {
		return payload{}, fmt.Errorf("%w state: the AEAD cannot encrypt it", ErrInvalid)
	}
	return sealed, nil
}

// open decrypts a stored payload. A store with a key takes sealed payloads only,
// and a store without one those that are not.
func (s *Store) open(cp driver.Checkpoint) (payload, error) {
	p := payload{cp.Payload, cp.Encoding}
	rest, sealed := strings.CutSuffix(cp.Encoding, "+"+stepSealed)
	switch {
	case !sealed && s.aead == nil:
		return p, nil
	case !sealed:
		return p, fmt.Errorf("%w: it is not encrypted, and a store with WithEncryption refuses plaintext", ErrCorrupt)
	case s.aead == nil:
		return p, fmt.Errorf("%w: it is encrypted; open the store with WithEncryption and its key", ErrCorrupt)
	}
	data, err := s.aead.Decrypt(cp.Payload, associatedData(cp.Key, cp.ID, cp.Encoding))
	if err != nil {
		if errors.Is(err, errUnknownKey) {
			return p, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		return p, fmt.Errorf("%w: it cannot be decrypted: another key, another checkpoint's payload, or altered bytes", ErrCorrupt)
	}
	return payload{data, rest}, nil
}

// associatedData binds a sealed payload to its place. None of the parts can
// contain a NUL byte.
func associatedData(key driver.Key, id, encoding string) []byte {
	return []byte("checkpoint/1\x00" + key.Namespace + "\x00" + key.Thread + "\x00" + id + "\x00" + encoding)
}
