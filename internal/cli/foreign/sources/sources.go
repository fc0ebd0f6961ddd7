// Package sources registers the formats of other programs that are read by a client
// of a database. It is imported for its side effects.
package sources

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/lib/pq"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite" // the driver "sqlite" of database/sql

	"github.com/go-ckpt/checkpoint/internal/cli/foreign"
	"github.com/go-ckpt/checkpoint/takeover"
	"github.com/go-ckpt/checkpoint/takeover/agentspersistence"
)

func init() {
	foreign.Register(foreign.Format{
		Name: "sql", Place: "URL", Query: true, Open: openSQL,
		About: "rows of --query, which selects thread and state, and saved_at and expires_at where they are known; URL is a postgres:// URL or sqlite:FILE",
	})
	foreign.Register(foreign.Format{
		Name: "agents-persistence", Place: "URL", Open: openAgentsPersistence,
		About: "the Redis of the Rust crate of that name; URL is redis://HOST:6379/0?namespace=NAME (default agents)",
	})
}

func openSQL(ctx context.Context, from foreign.Source) (*foreign.States, error) {
	db, err := openDatabase(from.Place)
	if err != nil {
		return nil, err
	}
	return &foreign.States{All: takeover.Query(ctx, db, from.Query), Close: db.Close}, nil
}

func openDatabase(place string) (*sql.DB, error) {
	if file, ok := strings.CutPrefix(place, "sqlite:"); ok {
		if _, err := os.Stat(file); err != nil {
			return nil, err
		}
		return sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.ToSlash(file)}).EscapedPath()+"?mode=ro")
	}
	if !strings.HasPrefix(place, "postgres://") && !strings.HasPrefix(place, "postgresql://") {
		return nil, errors.New("the source is a URL postgres://user@host/database, or sqlite:FILE")
	}
	connector, err := pq.NewConnector(place)
	if err != nil { // whose text may repeat the password
		return nil, errors.New("the source is no valid URL postgres://user:password@host/database; special characters in names and passwords are written as %XX")
	}
	return sql.OpenDB(connector), nil
}

func openAgentsPersistence(ctx context.Context, from foreign.Source) (*foreign.States, error) {
	place, err := url.Parse(from.Place)
	if err != nil { // whose text repeats the URL
		return nil, errors.New("the source is no valid URL; special characters in passwords are written as %XX")
	}
	words := place.Query()
	namespace := agentspersistence.DefaultNamespace
	if words.Has("namespace") {
		namespace = words.Get("namespace")
		words.Del("namespace")
	}
	place.RawQuery = words.Encode()
	options, err := redis.ParseURL(place.String())
	if err != nil {
		return nil, errors.New("the source is a URL redis://user:password@host:6379/0, or rediss:// for TLS, with ?namespace=NAME")
	}
	client := redis.NewClient(options)
	n, err := client.Exists(ctx, namespace+":threads").Result()
	if err == nil && n == 0 {
		err = fmt.Errorf("no thread of the crate is there in the namespace %q (the set %q is missing)", namespace, namespace+":threads")
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return &foreign.States{All: agentspersistence.Redis(ctx, client, namespace), Close: client.Close}, nil
}
