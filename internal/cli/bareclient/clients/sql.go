package clients

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"

	_ "github.com/lib/pq"

	"github.com/go-ckpt/checkpoint/drivers/sqlite"
	"github.com/go-ckpt/checkpoint/internal/cli/bareclient"
)

// sqlClient is a prepared upsert into a table of two columns, and a prepared
// select from it.
type sqlClient struct {
	write, read   *sql.DB // may be the same
	upsert, query *sql.Stmt
	remove        func(ctx context.Context) error
	log           logStatements
}

// logStatements are what a log of events is made of.
type logStatements struct{ create, insert, query string }

func (*sqlClient) Does() (save, load string) { return "upsert", "select" }

func (c *sqlClient) Save(ctx context.Context, key string, payload []byte) error {
	_, err := c.upsert.ExecContext(ctx, key, string(payload))
	return err
}

func (c *sqlClient) Load(ctx context.Context, key string) ([]byte, error) {
	var payload []byte
	err := c.query.QueryRowContext(ctx, key).Scan(&payload)
	return payload, err
}

func (c *sqlClient) Close(ctx context.Context) error {
	err := c.remove(ctx)
	err = errors.Join(err, c.write.Close())
	if c.read != c.write {
		err = errors.Join(err, c.read.Close())
	}
	return err
}

func (c *sqlClient) prepare(ctx context.Context, create, upsert, query string) (bareclient.Client, error) {
	_, err := c.write.ExecContext(ctx, create)
	if err == nil {
		c.upsert, err = c.write.PrepareContext(ctx, upsert)
	}
	if err == nil {
		c.query, err = c.read.PrepareContext(ctx, query)
	}
	if err != nil {
		c.Close(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("setting up the bare client: %w", err)
	}
	return c, nil
}

// openSQLite opens a file of its own beside the store's, with the driver's
// settings: one connection writes.
func openSQLite(ctx context.Context, url, own string) (bareclient.Client, error) {
	cfg, err := sqlite.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	if cfg.Path == sqlite.Memory {
		return nil, fmt.Errorf("%w: there is no bare client for a database in memory", errors.ErrUnsupported)
	}
	path := cfg.Path + "." + own
	dsn := fmt.Sprintf("file:%s?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(%s)",
		strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path), cfg.Synchronous)
	c := &sqlClient{}
	if c.write, err = sql.Open("sqlite", dsn); err != nil {
		return nil, err
	}
	c.write.SetMaxOpenConns(1)
	if c.read, err = sql.Open("sqlite", dsn); err != nil {
		return nil, err
	}
	c.remove = func(context.Context) error {
		err := errors.Join(c.read.Close(), c.write.Close())
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if e := os.Remove(path + suffix); e != nil && !errors.Is(e, os.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
		return err
	}
	c.log = logStatements{
		"CREATE TABLE IF NOT EXISTS log (log TEXT, n INTEGER, event TEXT NOT NULL, PRIMARY KEY (log, n))",
		"INSERT INTO log VALUES (?, ?, ?)",
		"SELECT event FROM log WHERE log = ? ORDER BY n",
	}
	return c.prepare(ctx,
		"CREATE TABLE bare (thread TEXT PRIMARY KEY, state TEXT NOT NULL)",
		"INSERT INTO bare VALUES (?, ?) ON CONFLICT (thread) DO UPDATE SET state = excluded.state",
		"SELECT state FROM bare WHERE thread = ?")
}

// openPostgres makes a table of its own, which holds JSON as the driver's does.
func openPostgres(ctx context.Context, url, own string) (bareclient.Client, error) {
	url = bareclient.Without(url, "table_name", "max_connections", "min_connections", "migrate", "prepare", "binary_parameters")
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	db, err := sql.Open("postgres", url+separator+"binary_parameters=yes")
	if err != nil {
		return nil, errors.New("the PostgreSQL client cannot read this URL") // its error may show a password
	}
	db.SetMaxOpenConns(10) // as the driver
	db.SetMaxIdleConns(10)
	c := &sqlClient{write: db, read: db}
	c.remove = func(ctx context.Context) error {
		_, err := db.ExecContext(ctx, "DROP TABLE IF EXISTS "+own+", "+own+"_log")
		return err
	}
	c.log = logStatements{
		"CREATE TABLE IF NOT EXISTS " + own + "_log (log TEXT, n BIGINT, event JSONB NOT NULL, PRIMARY KEY (log, n))",
		"INSERT INTO " + own + "_log VALUES ($1, $2, $3)",
		"SELECT event FROM " + own + "_log WHERE log = $1 ORDER BY n",
	}
	return c.prepare(ctx,
		"CREATE TABLE "+own+" (thread TEXT PRIMARY KEY, state JSONB NOT NULL);"+
			// The driver asks for lz4 where the server has it: the floor must not be slower.
			"DO $$ BEGIN IF EXISTS (SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) THEN "+
			"ALTER TABLE "+own+" ALTER COLUMN state SET COMPRESSION lz4; END IF; END $$",
		"INSERT INTO "+own+" VALUES ($1, $2) ON CONFLICT (thread) DO UPDATE SET state = excluded.state",
		"SELECT state FROM "+own+" WHERE thread = $1")
}
