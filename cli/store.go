package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/driver/dsn"
	"github.com/go-ckpt/checkpoint/internal/names"
)

// A source says where a store is and how to read it. Its fields hold secrets and
// are never printed.
type source struct {
	url       string
	namespace string // "": the URL's, or the default
	keys      string // "": not encrypted
	keysFrom  string // the variable of the environment that holds them
	flag      string // what names the store, for errors
	create    bool   // a file that is missing may be made
}

// source returns what the flags and the environment name. Commands that only
// look must not make a database of a mistyped file name.
func (a *app) source(create bool) source {
	s := source{url: a.store, namespace: a.namespace, keys: firstOf(os.Getenv(envKeys), a.keys), keysFrom: envKeys, flag: "--store", create: create}
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
		opts = append([]checkpoint.Option{checkpoint.WithHistory(checkpoint.KeepAll)}, opts...)
	}
	if s.namespace != "" {
		if err := names.CheckNamespace(s.namespace); err != nil {
			return nil, usagef("--namespace: %w", err)
		}
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
		if ours := withoutClient(s.driver(), s.url); ours != "" {
			return nil, usagef("the URL is written for a client of another language; begin it with %s://", ours)
		}
		return nil, usagef("unknown driver %q; the URL of a store starts with one of %s (try checkpoint drivers)", s.driver(), strings.Join(checkpoint.Drivers(), ", "))
	}
	if err != nil {
		return nil, err
	}
	if err := s.checkFile(locate(store)); err != nil {
		store.Close()
		return nil, err
	}
	return store, nil
}

// withoutClient returns the driver of a URL that names a client for another language
// too, as SQLAlchemy (postgresql+psycopg://) and JDBC (jdbc:postgresql://) have it; ""
// of all else.
func withoutClient(scheme, url string) string {
	name, _, _ := strings.Cut(scheme, "+")
	if scheme == "jdbc" {
		name, _, _ = strings.Cut(strings.TrimPrefix(url, "jdbc:"), ":")
	}
	if name != scheme && slices.Contains(checkpoint.Drivers(), name) {
		return name
	}
	return ""
}

// locate returns where a store on this machine has its data; the zero Location of
// all others.
func locate(store *checkpoint.Store) (at driver.Location) {
	store.Raw(func(b driver.Backend) error {
		if l, ok := b.(driver.Locator); ok {
			at = l.Location()
		}
		return nil
	})
	return at
}

// checkFile returns an error when the store is a file that does not exist and
// must not be made.
func (s source) checkFile(at driver.Location) error {
	if at.File == "" || s.create {
		return nil
	}
	if _, err := os.Stat(at.File); errors.Is(err, fs.ErrNotExist) {
		if s.url == defaultStore {
			return fmt.Errorf("there is no store yet: the file %q does not exist; name a store with --store or %s, save a state to make this one, or try checkpoint demo", at.File, envStore)
		}
		return fmt.Errorf("there is no store: the file %q of %s does not exist; check its name, or save a state to make it", at.File, s.flag)
	}
	return nil
}

// fixed reports whether a namespace was asked for, by flag or in the URL.
func (s source) fixed() bool {
	_, inURL := s.word("namespace")
	return inURL || s.namespace != ""
}

// word returns one of the words of package checkpoint in the URL.
func (s source) word(name string) (string, bool) {
	_, query := dsn.Split(s.url)
	words, err := dsn.Parse(query)
	if err != nil {
		return "", false // which opening the store reports
	}
	return words.String(name)
}

// driver returns the scheme of the URL.
func (s source) driver() string {
	name, _, _ := strings.Cut(s.url, ":")
	return name
}

// views returns the store's own namespace, or, when everything is asked for, a
// view of each namespace that it has.
func (s source) views(ctx context.Context, store *checkpoint.Store, everything bool) ([]*checkpoint.Store, error) {
	if !everything {
		return []*checkpoint.Store{store}, nil
	}
	if s.fixed() {
		return nil, usagef("--all-namespaces does not go with a namespace, in a flag or a URL")
	}
	var all []string
	for ns, err := range store.Namespaces(ctx) {
		if errors.Is(err, errors.ErrUnsupported) {
			return nil, fmt.Errorf("the %s driver cannot list namespaces; name one with --namespace (%w)", s.driver(), err)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, ns)
	}
	slices.Sort(all)
	var views []*checkpoint.Store
	for _, ns := range slices.Compact(all) {
		views = append(views, store.Namespace(ns))
	}
	return views, nil
}
