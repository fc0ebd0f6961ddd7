package checkpoint

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/registry"
)

// A payload is a state on its way to the database or back: encoded, then
// compressed, then sealed. Its encoding names the codec and the steps that
// followed, joined by '+': "json", "json+zstd", "json+zstd+aead"; "json+patch+zstd"
// is a patch against the version before, see patch.go. Readers undo what it names, whatever their own settings are, so that checkpoints written
// with different settings stand side by side. No driver knows any of it.
type payload struct {
	data     []byte
	encoding string
}

// The steps of this package.
const (
	stepSealed = "aead"
	stepPatch  = "patch"
)

// A place is what a sealed payload is bound to.
type place struct {
	key      driver.Key
	id       string
	base     int64  // of a patch: the version of the whole state
	previous string // of a patch: the id of the version before
}

// A Compressor makes payloads smaller. It must be safe for concurrent use.
type Compressor interface {
	// Name is stored with every payload and finds the compressor again: at most
	// 64 printable ASCII characters without space and '+', not "aead" and not "patch".
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
	if err := checkStepName(c.Name(), stepSealed, stepPatch); err != nil {
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
func (s *Store) pack(p payload, to place) (payload, error) {
	if s.compressor != nil {
		small := s.compressor.Compress(nil, p.data)
		if saved := len(p.data) - len(small); saved > 0 && saved >= len(p.data)/10 {
			p = payload{small, p.encoding + "+" + s.compressor.Name()}
		}
	}
	if s.aead != nil {
		return s.seal(p, to)
	}
	return p, nil
}

// unpack returns the state of a stored checkpoint; its encoding is the codec's name.
func (s *Store) unpack(cp driver.Checkpoint) (payload, error) {
	if cp.Base != 0 {
		return s.unpackChain(cp)
	}
	if cp.Digest != "" && cp.Digest != payloadDigest(cp.Payload) {
		return payload{}, fmt.Errorf("%w: its bytes are not those that were saved", ErrCorrupt)
	}
	p, err := s.open(payload{cp.Payload, cp.Encoding}, place{key: cp.Key, id: cp.ID})
	if err != nil {
		return p, err
	}
	codec, step, _ := strings.Cut(p.encoding, "+")
	return s.decompress(payload{p.data, codec}, step)
}

// decompress undoes a step of compression; "" is none.
func (s *Store) decompress(p payload, step string) (payload, error) {
	if step == "" {
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
	return payload{data, p.encoding}, nil
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
func (s *Store) seal(p payload, to place) (payload, error) {
	sealed := payload{encoding: p.encoding + "+" + stepSealed}
	var err error
	if sealed.data, err = s.aead.Encrypt(p.data, associatedData(to, sealed.encoding)); err != nil {
		return payload{}, fmt.Errorf("%w state: the AEAD cannot encrypt it", ErrInvalid)
	}
	return sealed, nil
}

func (p payload) sealed() bool { return strings.HasSuffix(p.encoding, "+"+stepSealed) }

// open decrypts a stored payload. A store with a key takes sealed payloads only,
// and a store without one those that are not.
func (s *Store) open(p payload, at place) (payload, error) {
	switch {
	case !p.sealed() && s.aead == nil:
		return p, nil
	case !p.sealed():
		return p, fmt.Errorf("%w: it is not encrypted, and a store with WithEncryption refuses plaintext", ErrCorrupt)
	case s.aead == nil:
		return p, fmt.Errorf("%w: it is encrypted; open the store with WithEncryption and its key", ErrCorrupt)
	}
	data, err := s.aead.Decrypt(p.data, associatedData(at, p.encoding))
	if err != nil {
		if errors.Is(err, errUnknownKey) {
			return p, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		return p, fmt.Errorf("%w: it cannot be decrypted: another key, another checkpoint's payload, or altered bytes", ErrCorrupt)
	}
	return payload{data, strings.TrimSuffix(p.encoding, "+"+stepSealed)}, nil
}

// associatedData binds a sealed payload to its place. None of the parts can
// contain a NUL byte.
func associatedData(at place, encoding string) []byte {
	data := "checkpoint/1\x00" + at.key.Namespace + "\x00" + at.key.Thread + "\x00" + at.id + "\x00" + encoding
	if at.base != 0 {
		data += "\x00" + strconv.FormatInt(at.base, 10) + "\x00" + at.previous
	}
	return []byte(data)
}
