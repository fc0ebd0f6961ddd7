package checkpoint

import (
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/names"
)

// What a store does when nothing else is said.
const (
	DefaultNamespace    = "agents"
	DefaultMaxStateSize = 16 << 20 // bytes

	DefaultIncrementalMemory = 64 << 20 // bytes
)

// KeepAll is the history that never drops a version.
const KeepAll = driver.KeepAll

// maxStateSizeLimit is the most that WithMaxStateSize takes: 1 GiB, more than
// any of the databases can hold in one value.
const maxStateSizeLimit = 1 << 30

// An Option sets up a store. A bad value is an [ErrInvalid] from [Open], or from
// every operation of a store made by [New].
type Option func(*settings)

type settings struct {
	namespace  string
	ttl        time.Duration
	keep       int
	maxSize    int
	now        func() time.Time
	log        *slog.Logger
	observer   Observer
	codec      Codec
	compressor Compressor
	aead       AEAD
	patches    bool  // WithIncremental
	memory     int64 // of WithIncrementalMemory, bytes
	err        error // the first bad option
}

func defaultSettings() settings {
	return settings{
		namespace: DefaultNamespace,
		keep:      1,
		maxSize:   DefaultMaxStateSize,
		now:       time.Now,
		codec:     jsonCodec{},
		memory:    DefaultIncrementalMemory,
	}
}

func (s *settings) apply(opts ...Option) {
	for _, o := range opts {
		if o != nil {
			o(s)
		}
	}
}

func (s *settings) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("%w option: "+format, append([]any{ErrInvalid}, args...)...)
	}
}

// WithNamespace sets the namespace, "agents" by default. Namespaces are walls:
// nothing a store does reaches another one. A name has 1 to 128 of
// A-Z a-z 0-9 . _ -.
func WithNamespace(ns string) Option {
	return func(s *settings) {
		if err := names.CheckNamespace(ns); err != nil {
			s.fail("WithNamespace: %w", err)
		}
		s.namespace = ns
	}
}

// WithTTL makes every save set the thread to expire after d; 0, the default, is
// never. A d below a microsecond counts as one.
func WithTTL(d time.Duration) Option {
	return func(s *settings) {
		if d < 0 {
			s.fail("WithTTL: %v is negative", d)
		}
		s.ttl = d
	}
}

// WithHistory sets how many of the newest versions of each thread a save keeps:
// 1, the default, is the latest alone; [KeepAll] is all.
func WithHistory(n int) Option {
	return func(s *settings) {
		if n < 1 {
			s.fail("WithHistory: %d versions; at least 1 is kept", n)
		}
		s.keep = n
	}
}

// WithMaxStateSize sets how many bytes an encoded state may have, before
// compression and encryption: 16 MiB by default, at most 1 GiB. What exceeds it
// is an [ErrTooLarge]. The same limit holds for what a stored payload may
// decompress to.
func WithMaxStateSize(bytes int) Option {
	return func(s *settings) {
		if bytes < 1 || bytes > maxStateSizeLimit {
			s.fail("WithMaxStateSize: %d bytes; 1 to %d are allowed", bytes, maxStateSizeLimit)
		}
		s.maxSize = bytes
	}
}

// WithClock sets the clock that all times and expiry are taken from, time.Now by
// default. The clocks of the machines that share a store should agree as well as
// the shortest TTL needs; the clock of the database plays no part.
func WithClock(now func() time.Time) Option {
	return func(s *settings) {
		if now == nil {
			s.fail("WithClock: the function is nil")
		}
		s.now = now
	}
}

// WithLogger makes the store write one debug record for each operation: op,
// driver, namespace, thread, version, bytes, duration and error, never a state.
// The driver's warnings go there too. By default operations are not logged.
func WithLogger(l *slog.Logger) Option {
	return func(s *settings) { s.log = l }
}

// WithCodec sets how states become bytes, JSON by default; [JSONNumbers] keeps the
// numbers of states without types, and package fastjson is a faster codec of the same
// JSON. The name "json" is a [JSONCodec]'s; "bytes", and names that contain '+', are
// taken.
func WithCodec(c Codec) Option {
	return func(s *settings) {
		if c == nil {
			s.fail("WithCodec: the codec is nil")
			return
		}
		if err := checkCodec(c); err != nil {
			s.fail("WithCodec: %w", err)
		}
		s.codec = c
	}
}

// WithCompression compresses the payloads that it makes smaller by at least a
// tenth. A store without it reads them too if the compressor is registered.
func WithCompression(c Compressor) Option {
	return func(s *settings) {
		if c == nil {
			s.fail("WithCompression: the compressor is nil")
			return
		}
		if err := checkStepName(c.Name(), stepSealed, stepPatch); err != nil {
			s.fail("WithCompression: %w", err)
		}
		s.compressor = c
	}
}

// WithEncryption encrypts every payload, after compression; see [NewKeyring].
// The encryption binds a payload to its namespace, thread and id, so that one
// copied over another fails to open. The store then refuses payloads that are
// not encrypted. Names, metadata, sizes and times are never encrypted.
func WithEncryption(a AEAD) Option {
	return func(s *settings) {
		if a == nil {
			s.fail("WithEncryption: the AEAD is nil")
			return
		}
		s.aead = a
	}
}

// WithIncremental makes a save write what changed since the version before, and not
// the state, where the driver can keep that (it implements driver.Patcher; otherwise
// states are stored whole) and where it is less. For states that grow, such as
// conversations, that is a small part of the bytes. Loads bring the parts back in one
// round trip and check the result, so that a damaged part is an [ErrCorrupt]. Every
// store reads such threads, whatever its settings.
//
// The handle remembers the states that it saved and loaded last, see
// [WithIncrementalMemory]. The database decides in the step of the write whether a
// remembered state still is the latest one; if not, the whole state is sent, with one
// round trip more and the same result. [Info].Base tells which versions are whole.
func WithIncremental() Option {
	return func(s *settings) { s.patches = true }
}

// WithIncrementalMemory sets how many bytes of states the handle and its views
// remember together for [WithIncremental], 64 MiB by default, the least recently used
// ones being forgotten first. With 0 nothing is remembered, and every state is stored
// whole.
func WithIncrementalMemory(bytes int64) Option {
	return func(s *settings) {
		if bytes < 0 {
			s.fail("WithIncrementalMemory: %d bytes is negative", bytes)
		}
		s.memory = bytes
	}
}

func parseHistory(s string) (int, error) {
	if s == "all" {
		return KeepAll, nil
	}
	n, err := strconv.Atoi(s)
	if err == nil && n < 1 {
		err = strconv.ErrRange
	}
	return n, err
}
