package bbolt

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/driver/dsn"
)

// Open implements driver.Driver: it reads "FILE" and "bbolt:FILE", with the word
// sync. The first operation opens the file.
func (d *Driver) Open(source string) (driver.Backend, error) {
	base, query := dsn.Split(source)
	words, err := dsn.Parse(query)
	if err != nil {
		return nil, err
	}
	sync := words.Bool("sync", true)
	base = strings.TrimPrefix(base, "bbolt:")
	if base == "" || strings.Contains(base, ":") || strings.HasPrefix(base, "//") {
		words.Reject(errors.New("want a file, as in agents.bolt or bbolt:agents.bolt")) // and may not show base
	}
	if err := words.Done(); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(base)
	if err != nil {
		return nil, fmt.Errorf("%w DSN: %w", driver.ErrInvalid, err)
	}
	return &backend{driver: d, path: path, sync: sync}, nil
}

// ExampleDSN implements driver.Exampler.
func (*Driver) ExampleDSN(name string) string { return name + ":agents.bolt" }
