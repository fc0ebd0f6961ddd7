// Package foreign knows the formats of other programs that "checkpoint import" reads.
// Those that need a client of a database register themselves in package sources, so
// that a command with other drivers in it links none.
package foreign

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"slices"

	"github.com/go-ckpt/checkpoint/takeover"
)

// A Format is what another program writes.
type Format struct {
	Name  string
	Place string // what a source is, in one word of the command line
	About string // one line of the command's help
	Query bool   // a query says what is read
	Open  func(ctx context.Context, from Source) (*States, error)
}

// A Source is what stands on the command line.
type Source struct {
	Place string
	Query string    // of a format that takes one
	Input io.Reader // for the place "-"
}

// States are read once, and closed.
type States struct {
	All   iter.Seq2[takeover.State, error]
	Close func() error
}

var formats = []Format{
	{Name: "jsonl", Place: "FILE", About: `lines of {"thread": NAME, "state": JSON}, with "saved_at" and "expires_at" where they are known; - is standard input`, Open: openLines},
	{Name: "folder", Place: "FOLDER", About: "files NAME.json, also in folders within it: a thread each", Open: openFolder},
}

// Register adds a format. It is called from init functions.
func Register(f Format) { formats = append(formats, f) }

// Formats returns all of them, ordered by name.
func Formats() []Format {
	return slices.SortedFunc(slices.Values(formats), func(a, b Format) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
}

func openLines(_ context.Context, from Source) (*States, error) {
	if from.Place == "-" {
		return &States{takeover.JSONLines(from.Input), func() error { return nil }}, nil
	}
	f, err := os.Open(from.Place)
	if err != nil {
		return nil, err
	}
	return &States{takeover.JSONLines(f), f.Close}, nil
}

func openFolder(_ context.Context, from Source) (*States, error) {
	info, err := os.Stat(from.Place)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, &os.PathError{Op: "open", Path: from.Place, Err: errors.New("it is no folder")}
	}
	folder, err := os.OpenRoot(from.Place)
	if err != nil {
		return nil, err
	}
	return &States{takeover.Folder(folder.FS()), folder.Close}, nil
}
