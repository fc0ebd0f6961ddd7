package postgres

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/lib/pq"

	"github.com/go-ckpt/checkpoint/driver/dsn"
)

// The defaults of a Config.
const (
	defaultTable          = "agent_checkpoints"
	defaultMaxConnections = 10
	defaultMinConnections = 2
	mostConnections       = 10_000
)

// A Config is what a DSN says about the driver. The zero value has every
// default. It prints without a password.
type Config struct {
	// Table is the table of the checkpoints, "agent_checkpoints" if empty. It
	// may be schema.table; without a schema the table is found, or made, through
	// the connection's search_path. Any name can be used: what is in double
	// quotes, with a quote in it doubled, is taken as it is, dots included. The
	// name of a table has at most 40 bytes, because the names of what belongs
	// to it are made from it.
	Table string

	// MaxConnections bounds the connections that are open at once, 10 if it is
	// 0; an operation waits for a free one as long as its context allows, and
	// at most 8 seconds. MinConnections is how many are kept open between bursts, 2
	// if it is 0, none if it is negative. New leaves the pool that it is given
	// as it is.
	MaxConnections, MinConnections int

	// NoMigrate forbids to make or change tables: when they are not there as
	// they should be, operations fail and say what to do.
	NoMigrate bool

	// Statements are prepared once for a connection and used often, unless a pooler
	// is seen behind it: one in transaction mode cannot keep the statements of its
	// clients apart. NoPrepare forbids to prepare them, and Prepare asks for it
	// behind a pooler too. Neither has an effect on a pool that New is given.
	NoPrepare, Prepare bool

	server     *pq.Config // of ParseConfig; it holds the password
	unverified bool       // nothing is said of TLS, and the server is on another machine
}

// ParseConfig reads a DSN, as Driver.Open does, without connecting. Errors match
// driver.ErrInvalid and show no password.
func ParseConfig(source string) (Config, error) {
	if err := dsn.CheckForm(source); err != nil {
		return Config{}, err
	}
	base, query := dsn.Split(source)
	words, err := dsn.Parse(query)
	if err != nil {
		return Config{}, err
	}
	var cfg Config
	cfg.Table, _ = words.String("table_name")
	if cfg.Table == "" {
		cfg.Table = defaultTable
	}
	if _, err := parseTable(cfg.Table); err != nil {
		words.Reject(fmt.Errorf("word %q: %w", "table_name", err))
	}
	cfg.MaxConnections = words.Int("max_connections", defaultMaxConnections, 1, mostConnections)
	cfg.MinConnections = words.Int("min_connections", min(defaultMinConnections, cfg.MaxConnections), 0, mostConnections)
	if cfg.MinConnections > cfg.MaxConnections {
		words.Reject(fmt.Errorf("word %q is %d, more than max_connections, which is %d", "min_connections", cfg.MinConnections, cfg.MaxConnections))
	}
	if cfg.MinConnections == 0 {
		cfg.MinConnections = -1
	}
	cfg.NoMigrate = !words.Bool("migrate", true)
	switch mode, _ := words.String("prepare"); mode {
	case "", "auto":
	case "true":
		cfg.Prepare = true
	case "false":
		cfg.NoPrepare = true
	default:
		words.Fail("prepare", mode, "auto, true or false")
	}
	cfg.server, cfg.unverified = serverConfig(base, words)
	words.Foreign(foreignWords)
	if err := words.Done(); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

// withDefaults fills in what was left empty.
func (c Config) withDefaults() Config {
	if c.Table == "" {
		c.Table = defaultTable
	}
	if c.MaxConnections <= 0 {
		c.MaxConnections = defaultMaxConnections
	}
	switch {
	case c.MinConnections < 0:
		c.MinConnections = 0
	case c.MinConnections == 0:
		c.MinConnections = defaultMinConnections
	}
	c.MinConnections = min(c.MinConnections, c.MaxConnections)
	return c
}

// check returns an error that matches driver.ErrInvalid if a field cannot be
// used.
func (c Config) check() error {
	if c.MaxConnections > mostConnections {
		return fmt.Errorf("%w configuration: MaxConnections is above %d", driver.ErrInvalid, mostConnections)
	}
	_, err := parseTable(c.withDefaults().Table)
	return err
}

// prepare is the value of the DSN's word.
func (c Config) prepare() string {
	switch {
	case c.NoPrepare:
		return "false"
	case c.Prepare:
		return "true"
	}
	return "auto"
}

// attrs are what may be shown of a Config.
func (c Config) attrs() []slog.Attr {
	c = c.withDefaults()
	attrs := []slog.Attr{slog.String("table", c.Table)}
	if c.server != nil {
		attrs = append(attrs, slog.String("host", shownHost(c.server.Host)), slog.Int("port", int(c.server.Port)),
			slog.String("database", shown(c.server.Database)), slog.String("user", shown(c.server.User)))
	}
	return append(attrs, slog.Int("max_connections", c.MaxConnections), slog.Int("min_connections", c.MinConnections),
		slog.Bool("migrate", !c.NoMigrate), slog.String("prepare", c.prepare()))
}

// shown is what may be shown of a name. One that looks like a piece of a DSN is
// kept back: a quote or an escape in the wrong place has put it there, and a
// password may have come along.
func shown(name string) string {
	if strings.Contains(name, ":") {
		return "(not shown)"
	}
	return shownHost(name)
}

// shownHost is shown of a host, which has colons if it is an address.
func shownHost(name string) string {
	if strings.ContainsAny(name, "=@?&") {
		return "(not shown)"
	}
	return name
}

// Format implements fmt.Formatter: no verb shows a password.
func (c Config) Format(f fmt.State, _ rune) {
	io.WriteString(f, "postgres.Config{")
	for i, a := range c.attrs() {
		if i > 0 {
			io.WriteString(f, " ")
		}
		io.WriteString(f, a.String())
	}
	io.WriteString(f, "}")
}

// LogValue implements slog.LogValuer.
func (c Config) LogValue() slog.Value { return slog.GroupValue(c.attrs()...) }
