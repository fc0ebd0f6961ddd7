package sqlite

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/driver/dsn"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

// The values that a Config has where it says nothing.
const (
	DefaultTableName   = "agent_checkpoints"
	DefaultBusyTimeout = 5 * time.Second
)

// Memory as the Path of a Config is a database in memory that belongs to one
// backend and ends with it.
const Memory = ":memory:"

// Config is what a data source name says.
type Config struct {
	// Path of the database file, or Memory. A relative path is relative to the
	// working directory at the first operation. New does not look at it.
	Path string

	// TableName is the table of the checkpoints: letters, digits and
	// underscores, 40 bytes at most. "" is DefaultTableName. The names of other
	// tables and indexes begin with it.
	TableName string

	// Synchronous is how far a save has got when it returns: Full, the zero
	// value, or Normal. New does not look at it.
	Synchronous Synchronous

	// BusyTimeout is how long an operation waits for a lock of another process
	// before it fails with ErrUnavailable. 0 is DefaultBusyTimeout.
	BusyTimeout time.Duration

	// AllowLinks accepts a file that has other names: hard links, or a name
	// outside a container into which the file alone is mounted. Two processes
	// that use two names destroy the database. New does not look at it.
	AllowLinks bool
}

// Synchronous is a durability.
type Synchronous int

const (
	// Full: an acknowledged save survives the loss of power.
	Full Synchronous = iota

	// Normal: an acknowledged save survives the end of the process, however
	// sudden. The loss of power may take the last saves with it, and leaves the
	// database sound. Saves are faster, because the disk is not waited for.
	Normal
)

// String returns the word's value in a DSN.
func (s Synchronous) String() string {
	if s == Normal {
		return "normal"
	}
	return "full"
}

// ParseConfig reads a data source name; the package's documentation lists the
// forms. Its errors match ErrInvalid. It does no I/O.
func ParseConfig(name string) (Config, error) {
	if err := dsn.CheckForm(name); err != nil {
		return Config{}, err
	}
	base, query := dsn.Split(name)
	words, err := dsn.Parse(query)
	if err != nil {
		return Config{}, err
	}
	cfg := Config{TableName: DefaultTableName, BusyTimeout: DefaultBusyTimeout}
	if cfg.Path, err = parsePath(base); err != nil {
		words.Reject(err)
	}
	if v, ok := words.String("table_name"); ok {
		cfg.TableName = v
		if checkTableName(v) != nil {
			words.Fail("table_name", v, tableNameRule)
		}
	}
	if v, ok := words.String("synchronous"); ok {
		switch v {
		case "full":
		case "normal":
			cfg.Synchronous = Normal
		default:
			words.Fail("synchronous", v, "full or normal")
		}
	}
	if v, ok := words.String("busy_timeout"); ok {
		cfg.BusyTimeout, err = time.ParseDuration(v)
		if err != nil || cfg.BusyTimeout <= 0 {
			words.Fail("busy_timeout", v, "a duration above 0 such as 500ms or 5s")
		}
	}
	cfg.AllowLinks = words.Bool("allow_links", false)
	if err := words.Done(); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

// parsePath reads what stands before the words. Its errors do not show it: it
// may be the URL of another database, with a password.
func parsePath(base string) (string, error) {
	path, isURL := base, false
	for _, scheme := range []string{"sqlite:", "file:"} {
		if rest, ok := strings.CutPrefix(base, scheme); ok {
			path, isURL = rest, true
			break
		}
	}
	if isURL {
		if rest, ok := strings.CutPrefix(path, "//"); ok {
			host, file, ok := strings.Cut(rest, "/")
			if !ok || host != "" && host != "localhost" {
				return "", errors.New("a URL with // goes on with the absolute path of the file: write sqlite:///folder/agents.db, or sqlite:agents.db for a relative path")
			}
			if strings.HasPrefix(file, "./") || strings.HasPrefix(file, "../") {
				return "", errors.New("after // stands an absolute path, and this one looks like a relative one: write sqlite:./agents.db")
			}
			path = "/" + file
		}
		unescaped, err := url.PathUnescape(path)
		if err != nil {
			return "", errors.New("the path has a % that starts no escape: write %25 in a URL, or the path without a scheme")
		}
		path = unescaped
	} else if strings.Contains(path, "://") {
		return "", errors.New("it is the URL of another database: want :memory:, sqlite:PATH, file:PATH or a path")
	}
	switch {
	case path == "":
		return "", errors.New("it names no file: write sqlite:agents.db, or :memory: for a database that ends with the store")
	case strings.Contains(path, "\x00"):
		return "", errors.New("the path contains a NUL byte")
	}
	return path, nil
}

const tableNameRule = "letters, digits and underscores, no digit first, not sqlite_ first, at most 40 bytes"

// checkTableName refuses what SQLite keeps for itself, too.
func checkTableName(name string) error {
	if sqlstore.CheckTableName(name) != nil || strings.HasPrefix(strings.ToLower(name), "sqlite_") {
		return fmt.Errorf("%w table name: want %s", driver.ErrInvalid, tableNameRule)
	}
	return nil
}
