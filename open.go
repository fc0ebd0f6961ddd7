package checkpoint

import (
	"fmt"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/driver/dsn"
	"github.com/go-ckpt/checkpoint/internal/names"
	"github.com/go-ckpt/checkpoint/internal/registry"
)

// Register makes a driver available to [Open] under a name, which is also the
// scheme of its URLs. It is called from the init function of the driver's
// package, and panics if the name is empty or taken or the driver is nil.
func Register(name string, d driver.Driver) { registry.Drivers.Register(name, d) }

// Drivers returns the names of the registered drivers, sorted.
func Drivers() []string { return registry.Drivers.Names() }

// Open returns a store in the database that a registered driver reaches by
// dsn. It does no I/O: the connection is made by the first operation, or by
// [Store.Ping]. The whole of dsn is checked; errors match [ErrUnknownDriver] or
// [ErrInvalid], and no error shows a password.
//
// Everything after the first '?' of dsn is a query string of words. These are
// the same for every driver, and the package of the driver documents its own:
//
//	namespace=NAME        as WithNamespace
//	ttl=24h               as WithTTL; 0 for never
//	history=20            as WithHistory; "all" for KeepAll
//	max_state_size=BYTES  as WithMaxStateSize
//	compress=NAME         as WithCompression, with a registered compressor
//	incremental=true      as WithIncremental
//
// An option given to Open wins over a word. Keys never stand in a DSN.
func Open(driverName, dsn string, opts ...Option) (*Store, error) {
	s, err := open(driverName, dsn, opts)
	if err != nil {
		if len(driverName) > maxDriverName {
			driverName = ""
		}
		return nil, &Error{Op: "open", Driver: driverName, Err: err}
	}
	return s, nil
}

// OpenURL is Open with the driver named by the scheme of the URL, which is
// written in lower case: "sqlite:agents.db", "redis://localhost:6379/0". The
// driver gets the whole URL, less the words that are the same for every driver.
func OpenURL(url string, opts ...Option) (*Store, error) {
	if err := dsn.CheckForm(url); err != nil {
		return nil, &Error{Op: "open", Err: err}
	}
	scheme, _, found := strings.Cut(url, ":")
	if !found || scheme == "" || len(scheme) > maxDriverName {
		return nil, &Error{Op: "open", Err: fmt.Errorf("%w URL: it has no scheme; write for example sqlite:agents.db", ErrInvalid)}
	}
	return Open(scheme, url, opts...)
}

// maxDriverName bounds what errors show as the name of a driver: what is longer
// is more likely a DSN, with its password.
const maxDriverName = 32

func open(name, source string, opts []Option) (*Store, error) {
	d, err := registry.FindDriver(registry.Drivers, name)
	if err != nil {
		return nil, err
	}
	if err := dsn.CheckForm(source); err != nil {
		return nil, err
	}
	base, query := dsn.Split(source)
	words, err := dsn.Parse(query)
	if err != nil {
		return nil, err
	}
	settings := defaultSettings()
	settings.apply(wordOptions(words)...)
	if err := words.Err(); err != nil {
		return nil, err
	}
	settings.apply(opts...)
	if settings.err != nil {
		return nil, settings.err
	}
	if rest := words.Rest(); rest != "" {
		base += "?" + rest
	}
	b, err := d.Open(base)
	if err != nil {
		return nil, err
	}
	return newStore(b, name, settings), nil
}

// wordOptions takes the words that are the same for every driver.
func wordOptions(words *dsn.Words) []Option {
	var opts []Option
	if ns, ok := words.String("namespace"); ok {
		if err := names.CheckNamespace(ns); err != nil {
			words.Reject(fmt.Errorf("word %q: %w", "namespace", err))
		}
		opts = append(opts, WithNamespace(ns))
	}
	if ttl := words.Duration("ttl", -1); ttl >= 0 {
		opts = append(opts, WithTTL(ttl))
	}
	if v, ok := words.String("history"); ok {
		n, err := parseHistory(v)
		if err != nil {
			words.Fail("history", v, "a whole number of at least 1, or all")
		}
		opts = append(opts, WithHistory(n))
	}
	if n := words.Int("max_state_size", 0, 1, maxStateSizeLimit); n > 0 {
		opts = append(opts, WithMaxStateSize(n))
	}
	if name, ok := words.String("compress"); ok {
		c, found := compressors.Lookup(name)
		if !found {
			words.Fail("compress", name, compressorsWanted())
		} else {
			opts = append(opts, WithCompression(c))
		}
	}
	if words.Bool("incremental", false) {
		opts = append(opts, WithIncremental())
	}
	return opts
}
