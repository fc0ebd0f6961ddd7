package dynamodb

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/driver/dsn"
)

// The names of the index that listing uses.
const (
	DefaultIndex = "checkpoint-threads" // what create_table makes
	NoIndex      = "none"               // list by Scan
)

// A Config says which table to use and how to reach it. It holds no secret:
// credentials come from the AWS SDK's own chain.
type Config struct {
	Table       string // 3 to 255 of A-Z a-z 0-9 . _ -; or the ARN of a table, which may be another account's
	Region      string // "": the ARN's, or the SDK's chain
	Endpoint    string // "": the SDK's chain; a URL for DynamoDB Local and the like
	Profile     string // "": the SDK's chain; a profile of the shared files
	CreateTable bool   // make the table, its TTL and its index if it is missing
	Index       string // "": DefaultIndex if the table has it; an index's name; or NoIndex

	// MaxConnections bounds the requests that a backend has under way at once, 64 if
	// it is 0. Further operations wait in their order for as long as their contexts
	// allow.
	MaxConnections int
}

// Bounds of MaxConnections.
const (
	defaultMaxConnections = 64
	mostConnections       = 100_000
)

// ParseConfig reads a DSN: the name of the table, dynamodb://TABLE, or with the
// table's ARN in the place of its name, and these words:
//
//	region=NAME              a region, eu-central-1 for example
//	endpoint=URL             of DynamoDB Local or a private endpoint
//	profile=NAME             of the shared configuration and credentials files
//	create_table=true|false  make the table if it is missing; default false
//	index=NAME|none          the index to list by; by default the one that
//	                         create_table makes, if it is there
//	max_connections=64       bound on the requests under way at once
//
// An ARN, arn:aws:dynamodb:REGION:ACCOUNT:table/TABLE, names the region too.
func ParseConfig(source string) (Config, error) {
	if err := dsn.CheckForm(source); err != nil {
		return Config{}, err
	}
	base, query := dsn.Split(source)
	words, err := dsn.Parse(query)
	if err != nil {
		return Config{}, err
	}
	table := strings.TrimPrefix(strings.TrimPrefix(base, "dynamodb:"), "//")
	cfg := Config{Table: table, CreateTable: words.Bool("create_table", false)}
	cfg.Region, _ = words.String("region")
	cfg.Endpoint, _ = words.String("endpoint")
	cfg.Profile, _ = words.String("profile")
	cfg.Index, _ = words.String("index")
	cfg.MaxConnections = words.Int("max_connections", defaultMaxConnections, 1, mostConnections)
	words.Foreign(foreignWords)
	if err := words.Done(); err != nil {
		return Config{}, err
	}
	return cfg, cfg.check()
}

func (c Config) check() error {
	name, region, isARN := parseARN(c.Table)
	switch {
	case strings.HasPrefix(c.Table, "arn:") && !isARN:
		return fmt.Errorf("%w DSN: want the ARN of a table, arn:aws:dynamodb:REGION:ACCOUNT:table/TABLE, with nothing after it", driver.ErrInvalid)
	case !isName(name, 3, 255):
		return fmt.Errorf("%w DSN: want the name of a table, 3 to 255 of A-Z a-z 0-9 . _ -, or dynamodb://TABLE, or the ARN of a table in that place", driver.ErrInvalid)
	case c.Region != "" && !isName(c.Region, 1, 64):
		return fmt.Errorf(`%w DSN: word "region" is not the name of a region, which is like eu-central-1`, driver.ErrInvalid)
	case isARN && c.Region != "" && c.Region != region:
		return fmt.Errorf(`%w DSN: word "region" is %q, and the ARN of the table names %s; leave the word out`, driver.ErrInvalid, c.Region, region)
	case isARN && c.CreateTable:
		return fmt.Errorf(`%w DSN: word "create_table" makes tables of this account and region, by their names: give the table's name, or leave the word out`, driver.ErrInvalid)
	case c.Profile != "" && len(c.Profile) > 255:
		return fmt.Errorf(`%w DSN: word "profile" is longer than a name of a profile`, driver.ErrInvalid)
	case c.Index != "" && c.Index != NoIndex && !isName(c.Index, 3, 255):
		return fmt.Errorf(`%w DSN: word "index": want the name of an index, or none`, driver.ErrInvalid)
	case c.MaxConnections < 0 || c.MaxConnections > mostConnections:
		return fmt.Errorf("%w Config: MaxConnections is %d, want 0 to %d", driver.ErrInvalid, c.MaxConnections, mostConnections)
	}
	if c.Endpoint != "" {
		u, err := url.Parse(c.Endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			return fmt.Errorf(`%w DSN: word "endpoint": want http:// or https:// and a host, without credentials`, driver.ErrInvalid)
		}
		if strings.HasSuffix(u.Hostname(), ".api.aws") {
			return fmt.Errorf(`%w DSN: word "endpoint" names a dual-stack endpoint, which the SDK takes from its settings alone: leave it out, and set AWS_USE_DUALSTACK_ENDPOINT=true`, driver.ErrInvalid)
		}
	}
	return nil
}

// connections returns how many requests may be under way at once.
func (c Config) connections() int { return cmp.Or(c.MaxConnections, defaultMaxConnections) }

// isName reports whether s has shortest to longest of the characters that names
// in DynamoDB have.
func isName(s string, shortest, longest int) bool {
	for i := range len(s) {
		c := s[i]
		if !('A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return shortest <= len(s) && len(s) <= longest
}
