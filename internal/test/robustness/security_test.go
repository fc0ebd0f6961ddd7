package robustness

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
	_ "github.com/go-ckpt/checkpoint/zstd"
)

// TestTLS: a certificate of an authority nobody has heard of is refused, unless
// the DSN says in so many words that it is not to be looked at.
func TestTLS(t *testing.T) {
	t.Parallel()
	rediss := testserver.StartRedis(t, testserver.RedisOptions{TLS: true}).URL
	server := testserver.StartPostgres(t, testserver.PostgresOptions{TLS: true}).URL
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	authority := u.Query().Get("sslrootcert")
	u.RawQuery = ""
	postgres := u.String()
	for _, test := range []struct {
		name, driver, dsn string
		want              bool
	}{
		{"rediss verifies", "rediss", rediss, false},
		{"rediss with skip_verify does not", "rediss", rediss + "?skip_verify=true", true},
		{"plain to a TLS server", "redis", strings.Replace(rediss, "rediss", "redis", 1), false},
		{"verify-full without the authority", "postgres", postgres + "?sslmode=verify-full", false},
		{"verify-full with it", "postgres", postgres + "?sslmode=verify-full&sslrootcert=" + url.QueryEscape(authority), true},
		{"require with an authority verifies too", "postgres", postgres + "?sslmode=require&sslrootcert=/etc/hostname", false},
		{"require alone only encrypts", "postgres", postgres + "?sslmode=require", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b, err := open(test.driver, test.dsn)
			if err != nil {
				if test.want {
					t.Errorf("Open: %v", err)
				}
				return
			}
			defer b.Close()
			if err := b.Ping(t.Context()); (err == nil) != test.want {
				t.Errorf("Ping = %v, want success %v", err, test.want)
			}
		})
	}
}

// TestFileModes: nobody but the owner can read the files that are made, even
// with a umask that would allow it.
func TestFileModes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := checkpoint.Open("sqlite", filepath.Join(dir, "agents.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Save(t.Context(), "thread", "secret"); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := os.Stat(path)
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v, want none for group and others", entry.Name(), info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestBounds: what is read back is bounded by the reader's limit, whatever
// another writer has stored.
func TestBounds(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *deployment) {
		ctx := t.Context()
		b := d.handle(t)
		writer := checkpoint.New(b, checkpoint.WithMaxStateSize(4<<20))
		if _, err := writer.Save(ctx, "large", strings.Repeat("x", 2<<20)); err != nil {
			t.Fatal(err)
		}
		reader := checkpoint.New(b, checkpoint.WithMaxStateSize(1<<20))
		if _, err := reader.Load(ctx, "large", new(string)); err != nil && class(err) != driver.ErrTooLarge.Error() {
			t.Errorf("Load of more than the reader's limit = %v, want success or ErrTooLarge", err)
		}
		// Few bytes that unpack to many.
		bomb, err := checkpoint.Open("memory", "?compress=zstd&max_state_size=16777216")
		if err != nil {
			t.Fatal(err)
		}
		defer bomb.Close()
		if _, err := bomb.Save(ctx, "bomb", strings.Repeat("x", 16<<20-100)); err != nil {
			t.Fatal(err)
		}
		if _, err := checkpoint.Copy(ctx, checkpoint.New(b), bomb, checkpoint.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := reader.Load(ctx, "bomb", new(string)); class(err) != driver.ErrTooLarge.Error() {
			t.Errorf("Load of a state that unpacks to 16 MiB = %v, want ErrTooLarge", err)
		}
	})
}

// TestDeepJSON: a state that another writer has nested a hundred thousand deep is
// ErrCorrupt, and not the end of the process or of the database's session.
func TestDeepJSON(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *deployment) {
		b := d.handle(t)
		const depth = 100_000
		payload := []byte(strings.Repeat("[", depth) + strings.Repeat("]", depth))
		req := driver.SaveRequest{Key: driver.Key{Namespace: "deep", Thread: "thread"}, ID: "id", Payload: payload, Encoding: "json", Now: crashNow, Keep: 1}
		if _, err := b.Save(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		store := checkpoint.New(b, checkpoint.WithNamespace("deep"), checkpoint.WithClock(func() time.Time { return crashNow }))
		for _, target := range []any{new(any), new([]any), new(state)} {
			if _, err := store.Load(t.Context(), "thread", target); class(err) != driver.ErrCorrupt.Error() {
				t.Errorf("Load into a %T = %v, want ErrCorrupt", target, err)
			}
		}
		if info, err := store.Stat(t.Context(), "thread"); err != nil || info.Size != len(payload) {
			t.Errorf("Stat = %d bytes, %v, want %d", info.Size, err, len(payload))
		}
	})
}

// TestHugeVersions: a version near the end of the numbers neither wraps around
// nor makes anything slow.
func TestHugeVersions(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *deployment) {
		ctx := t.Context()
		b := d.handle(t)
		if err := b.Ping(ctx); err != nil {
			t.Fatal(err)
		}
		importer := b.(driver.Importer)
		for i, version := range []int64{driver.MaxVersion - 1, driver.MaxVersion} {
			var req driver.ImportRequest
			req.Key = driver.Key{Namespace: "huge", Thread: fmt.Sprint("thread-", i)}
			req.ID, req.Version, req.Payload, req.Encoding = "id", version, []byte("1"), "json"
			req.CreatedAt, req.SavedAt, req.Now, req.Keep = crashNow, crashNow, crashNow, driver.KeepAll
			if err := importer.Import(ctx, req); err != nil {
				t.Fatal(err)
			}
		}
		store := crashStore(b, "huge", crashNow)
		history := checkpoint.New(b, checkpoint.WithNamespace("huge"), checkpoint.WithHistory(checkpoint.KeepAll))
		if info, err := history.Save(ctx, "thread-0", 2); err != nil || info.Version != driver.MaxVersion {
			t.Errorf("Save after version 2^53 - 1 = %d, %v, want version 2^53", info.Version, err)
		}
		for _, thread := range []string{"thread-0", "thread-1"} {
			latest := checkpoint.New(b, checkpoint.WithNamespace("huge")) // keeps no history
			for _, s := range []*checkpoint.Store{latest, history} {
				if info, err := s.Save(ctx, thread, 3); !errors.Is(err, checkpoint.ErrInvalid) {
					t.Errorf("Save after version 2^53 = version %d, %v, want ErrInvalid", info.Version, err)
				}
			}
			if info, err := history.Stat(ctx, thread); err != nil || info.Version != driver.MaxVersion {
				t.Errorf("Stat = version %d, %v, want 2^53", info.Version, err)
			}
			if err := store.Delete(ctx, thread); err != nil {
				t.Error(err)
			}
		}
	})
}
