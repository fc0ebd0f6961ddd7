package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	_ "embed"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
	codes "modernc.org/sqlite/lib"
)

//go:embed schema.sql
var schemaFile string

// schemaVersion is the version that this program reads and writes. It is
// recorded in a table of its own and not in the file's user_version, which
// belongs to the application where the file is the application's.
const schemaVersion = 1

func schemaTable(table string) string     { return table + "_schema" }
func chainsTableName(table string) string { return table + "_chains" }

// parseSchema returns what makes the tables.
func parseSchema(table string) sqlstore.Statements {
	name := func(suffix string) string { return sqlstore.Quote(table + suffix) }
	return sqlstore.ParseStatements(schemaFile, "{table}", name(""),
		"{latest}", name("_latest"), "{older}", name("_older"), "{older_id}", name("_older_id"), "{expires}", name("_expires"),
		"{chains}", name("_chains"), "{chains_version}", name("_chains_version"), "{chains_end}", name("_chains_end"))
}

// ensureSchema makes the tables or brings them up to date, and changes nothing in a
// file that is not meant for it. One that cannot be written is read as it is.
func (d *database) ensureSchema(ctx context.Context) error {
	version, chains, err := d.storedVersion(ctx, d.write)
	if err != nil {
		return err
	}
	if d.owned && d.frozen == nil && d.path != "" {
		if err := d.ensureWAL(ctx, version); err != nil {
			return err
		}
	}
	if d.chains = chains; version == schemaVersion && chains {
		return nil
	}
	err = d.migrate(ctx)
	if version == schemaVersion && code(err) == codes.SQLITE_READONLY {
		return nil
	}
	return err
}

// migrate makes what is missing, in one transaction.
func (d *database) migrate(ctx context.Context) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	version, chains, err := d.storedVersion(ctx, tx)
	if err != nil { // another process may have been faster
		return err
	}
	if version == 0 {
		if _, err := tx.ExecContext(ctx, d.sql.Get("create_schema")); err != nil {
			return err
		}
	}
	stored := version
	for version < schemaVersion {
		version++
		if _, err := tx.ExecContext(ctx, d.schema.Get(strconv.Itoa(version))); err != nil {
			return err
		}
	}
	if !chains {
		if _, err := tx.ExecContext(ctx, d.schema.Get("chains")); err != nil {
			return err
		}
	}
	if version != stored {
		if _, err := tx.ExecContext(ctx, d.sql.Get("record"), version); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	d.chains = true
	return nil
}

// ensureWAL switches the file to write-ahead logging, which is a property of
// the file and stays. A file that cannot be written stays as it is, and so
// does one on a file system that lacks what it takes.
func (d *database) ensureWAL(ctx context.Context, version int) error {
	var mode string
	if err := d.write.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil || mode == "wal" {
		return err
	}
	err := d.write.QueryRowContext(ctx, "PRAGMA journal_mode = wal").Scan(&mode)
	if version != 0 && cannotShare(err) {
		return nil
	}
	return err
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// storedVersion returns the version of the schema in the file, 0 if it has
// none, and whether the table of chains is there, or an error if the file cannot be used.
func (d *database) storedVersion(ctx context.Context, q querier) (version int, chains bool, err error) {
	var tables int
	if err := q.QueryRowContext(ctx, d.sql.Get("tables"), d.table, schemaTable(d.table), chainsTableName(d.table)).Scan(&tables, &chains); err != nil {
		return 0, false, err
	}
	var encoding string
	if err := q.QueryRowContext(ctx, "PRAGMA encoding").Scan(&encoding); err != nil {
		return 0, false, err
	}
	if encoding != "UTF-8" {
		return 0, false, fmt.Errorf("%w database: %s keeps text as %s, in which names do not sort by their bytes: name another file", driver.ErrInvalid, d.name, encoding)
	}
	foreign := fmt.Errorf("%w table name: %s has a table %q that was not made by this driver: choose another name with table_name", driver.ErrInvalid, d.name, d.table)
	switch {
	case tables == 0 && !chains:
		return 0, false, nil
	case tables == 2:
		version, err := d.readVersion(q.QueryRowContext(ctx, d.sql.Get("version")))
		if code(err) == codes.SQLITE_ERROR || errors.Is(err, sql.ErrNoRows) { // another table's columns
			err = foreign
		}
		return version, chains, err
	default:
		return 0, false, foreign
	}
}

// readVersion reads the version of a schema that this program can bring up to
// date.
func (d *database) readVersion(row *sql.Row) (int, error) {
	var stored any
	if err := row.Scan(&stored); err != nil {
		return 0, err
	}
	version, ok := stored.(int64)
	switch {
	case !ok || version < 1:
		return 0, fmt.Errorf("%w: the version of the schema of table %q in %s is not a number", driver.ErrCorrupt, d.table, d.name)
	case version > schemaVersion:
		return 0, fmt.Errorf("%w database: table %q in %s has schema version %d and this program knows versions up to %d: it was written by a newer release, which is needed to open it",
			driver.ErrInvalid, d.table, d.name, version, schemaVersion)
	}
	return int(version), nil
}
