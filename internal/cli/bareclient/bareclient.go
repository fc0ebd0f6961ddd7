// Package bareclient does with a database's own client the least that moves a
// state there and back, so that the cost of a driver can be told from that of
// its database.
package bareclient

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-ckpt/checkpoint/driver/dsn"
)

// A Client saves and loads with as durable a write as the driver makes.
type Client interface {
	// Does says what Save and Load are, in a few words.
	Does() (save, load string)

	Save(ctx context.Context, key string, payload []byte) error
	Load(ctx context.Context, key string) ([]byte, error)

	// Close removes what was saved and closes the client.
	Close(ctx context.Context) error
}

// A LogKeeper is a client that keeps logs of events as its database does best.
type LogKeeper interface {
	Log(ctx context.Context, name string) (Log, error)
}

// A Log is appended to and read as a whole.
type Log interface {
	// Does says what Append and Read are, in a few words.
	Does() (write, read string)

	Append(ctx context.Context, n int64, event []byte) error

	// Read returns how many events there are and their bytes.
	Read(ctx context.Context) (events int, bytes int64, err error)
}

// An Opener opens the bare client for a URL that has no words of package
// checkpoint; what it makes in the database is called own.
type Opener func(ctx context.Context, url, own string) (Client, error)

var openers = map[string]Opener{}

// Register makes a client known for URLs of these schemes. It is called from init
// functions.
func Register(open Opener, schemes ...string) {
	for _, scheme := range schemes {
		openers[scheme] = open
	}
}

// Open opens the bare client for the database of a store's URL. It makes a table, a
// file or keys of its own. An error that matches errors.ErrUnsupported says that
// there is none for this database.
func Open(ctx context.Context, url string) (Client, error) {
	scheme, _, _ := strings.Cut(url, ":")
	open, ok := openers[scheme]
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(openers)), ", ")
		return nil, fmt.Errorf("%w: there is no bare client for a URL that starts with %q; there is for %s", errors.ErrUnsupported, scheme, cmp.Or(known, "none"))
	}
	return open(ctx, Without(url, dsn.Common...), "checkpoint_bench_"+strings.ToLower(rand.Text()[:10]))
}

// Without returns a URL without some of its words.
func Without(url string, names ...string) string {
	base, query := dsn.Split(url)
	words, err := dsn.Parse(query)
	if err != nil {
		return url
	}
	for _, name := range names {
		words.String(name)
	}
	if rest := words.Rest(); rest != "" {
		base += "?" + rest
	}
	return base
}
