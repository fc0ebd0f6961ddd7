package cli

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/driver/dsn"
	"github.com/go-ckpt/checkpoint/drivers/sqlite"
	"github.com/go-ckpt/checkpoint/internal/registry"
)

// A source says where a store is and how to read it. Its fields hold secrets and
// are never printed.
type source struct {
	url       string
	namespace string // "": the URL's, or the default
	keys      string // "": not encrypted
	keysFrom  string // the variable of the environment that holds them; "": CHECKPOINT_KEYS
	flag      string // what names the store, for errors
	create    bool   // a SQLite file may be made
}

// source returns what the flags and the environment name. Commands that only
// look must not make a database of a mistyped file name.
func (a *app) source(create bool) source {
	s := source{url: a.store, namespace: a.namespace, keys: os.Getenv(envKeys), flag: "--store", create: create}
	if s.url == "" {
		s.url, s.flag = os.Getenv(envStore), envStore
	}
	if s.url == "" {
		s.url = defaultStore
	}
	return s
}

// open opens the store that the flags name.
func (a *app) open(opts ...checkpoint.Option) (*checkpoint.Store, error) {
	return a.source(false).open(opts...)
}

// open opens the store. It keeps every version unless the URL says how many: what
// an application's history holds is not for this command to drop.
func (s source) open(opts ...checkpoint.Option) (*checkpoint.Store, error) {
	if _, ok := s.word("history"); !ok {
		opts = append(opts, checkpoint.WithHistory(checkpoint.KeepAll))
	}
	return s.openWith(opts)
}

// openWith opens the store with what the flags and the environment say, and with
// options.
func (s source) openWith(opts []checkpoint.Option) (*checkpoint.Store, error) {
	if s.namespace != "" {
		opts = append(opts, checkpoint.WithNamespace(s.namespace))
	}
	if s.keys != "" {
		keys, err := s.parseKeys()
		if err != nil {
			return nil, err
		}
		opts = append(opts, checkpoint.WithEncryption(keys))
	}
	store, err := checkpoint.OpenURL(s.url, opts...)
	if errors.Is(err, checkpoint.ErrUnknownDriver) {
		return nil, usagef("unknown driver %q; the URL of a store starts with one of %s (try checkpoint drivers)", s.driver(), strings.Join(checkpoint.Drivers(), ", "))
	}
	if err != nil {
		return nil, err
	}
	if err := s.checkFile(); err != nil {
		store.Close()
		return nil, err
	}
	return store, nil
}

// checkFile returns an error when the store is a SQLite file that does not exist
// and must not be made.
func (s source) checkFile() error {
	path, ok := s.file()
	if !ok || s.create {
		return nil
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if s.url == defaultStore {
			return fmt.Errorf("there is no store yet: the file %q does not exist; name a store with --store or %s, save a state to make this one, or try checkpoint demo", path, envStore)
		}
		return fmt.Errorf("there is no store: the file %q of %s does not exist", path, s.flag)
	}
	return nil
}

// file returns the path of the store's file if it is one.
func (s source) file() (string, bool) {
	if !strings.HasPrefix(s.url, "sqlite:") {
		return "", false
	}
	config, err := sqlite.ParseConfig(s.withoutCommonWords())
	return config.Path, err == nil && config.Path != sqlite.Memory
}

// parseKeys reads the keys of an encrypted store.
func (s source) parseKeys() (*checkpoint.Keyring, error) {
	variable := firstOf(s.keysFrom, envKeys)
	var keys [][]byte
	for i, text := range strings.Split(s.keys, ",") {
		text = strings.TrimRight(strings.TrimSpace(text), "=")
		key, err := base64.RawStdEncoding.DecodeString(text)
		if err != nil {
			key, err = base64.RawURLEncoding.DecodeString(text)
		}
		if err != nil {
			return nil, usagef("key %d of %s is not base64 (make one with: head -c 32 /dev/urandom | base64)", i+1, variable)
		}
		keys = append(keys, key)
	}
	keyring, err := checkpoint.NewKeyring(keys[0], keys[1:]...)
	if err != nil {
		return nil, usagef("%s: %w (make one with: head -c 32 /dev/urandom | base64)", variable, err)
	}
	return keyring, nil
}

// A raw store is a driver's backend with the settings of the URL that package
// checkpoint would apply: for commands that move payloads as they are stored.
type rawStore struct {
	driver.Backend
	driverName string
	namespace  string
	fixed      bool // the namespace was asked for, by flag or URL
	keep       int  // versions; KeepAll unless the URL says otherwise
	maxSize    int  // bytes of a state
}

// openRaw opens the backend of a store.
func (s source) openRaw() (*rawStore, error) {
	checked, err := s.open() // the errors of URL, namespace, keys and file
	if err != nil {
		return nil, err
	}
	checked.Close()

	name := s.driver()
	raw := &rawStore{driverName: name, namespace: checkpoint.DefaultNamespace, keep: checkpoint.KeepAll, maxSize: checkpoint.DefaultMaxStateSize}
	if ns, ok := s.word("namespace"); ok {
		raw.namespace, raw.fixed = ns, true
	}
	if s.namespace != "" {
		raw.namespace, raw.fixed = s.namespace, true
	}
	if v, ok := s.word("history"); ok && v != "all" {
		raw.keep, _ = strconv.Atoi(v)
	}
	if v, ok := s.word("max_state_size"); ok {
		raw.maxSize, _ = strconv.Atoi(v)
	}
	raw.Backend, err = s.openBackend()
	return raw, err
}

// openBackend opens the driver's backend, which gets the URL without the words of
// package checkpoint.
func (s source) openBackend() (driver.Backend, error) {
	d, err := registry.FindDriver(registry.Drivers, s.driver())
	if err != nil {
		return nil, err
	}
	return d.Open(s.withoutCommonWords())
}

// withoutCommonWords returns the URL less the words of package checkpoint, as a
// driver gets it.
func (s source) withoutCommonWords() string {
	base, query := dsn.Split(s.url)
	words, err := dsn.Parse(query)
	if err != nil {
		return s.url
	}
	for _, word := range dsn.Common {
		words.String(word)
	}
	if rest := words.Rest(); rest != "" {
		base += "?" + rest
	}
	return base
}

// word returns a word of the URL.
func (s source) word(name string) (string, bool) {
	_, query := dsn.Split(s.url)
	words, err := dsn.Parse(query)
	if err != nil {
		return "", false
	}
	return words.String(name)
}

// driver returns the scheme of the URL.
func (s source) driver() string {
	name, _, _ := strings.Cut(s.url, ":")
	return name
}
