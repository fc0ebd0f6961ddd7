package robustness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/dynamodb"
	"github.com/go-ckpt/checkpoint/drivers/postgres"
	"github.com/go-ckpt/checkpoint/drivers/redis"
	"github.com/go-ckpt/checkpoint/drivers/sqlite"
)

// password stands wherever a DSN allows one.
const password = "hunter2"

// withPassword are DSNs with the password in every place there is for one. The
// servers they name refuse connections.
var withPassword = []struct{ driver, dsn string }{
	{"redis", "redis://user:hunter2@127.0.0.1:1/0"},
	{"redis", "redis://:hunter2@127.0.0.1:1"},
	{"rediss", "rediss://user:hunter2@127.0.0.1:1"},
	{"valkey", "valkey://user:hunter2@127.0.0.1:1"},
	{"redis+sentinel", "redis+sentinel://user:hunter2@127.0.0.1:1?addr=127.0.0.1:1&master_name=main&username=u&password=hunter2"},
	{"redis+cluster", "redis+cluster://user:hunter2@127.0.0.1:1?addr=127.0.0.1:1"},
	{"postgres", "postgres://user:hunter2@127.0.0.1:1/db?sslmode=disable"},
	{"postgres", "postgres://user:a#hunter2@127.0.0.1:1/db"},
	{"postgresql", "postgresql://user@127.0.0.1:1/db?password=hunter2"},
	{"postgres", "host=127.0.0.1 port=1 user=u password=hunter2 dbname=db sslmode=disable"},
	{"postgres", "host=127.0.0.1 port=1 user=u password='hunter2' dbname=db sslmode=disable?table_name=t"},
}

// withBadPassword are DSNs that are not allowed, each with a password near what
// is wrong with it.
var withBadPassword = []struct{ driver, dsn string }{
	{"redis", "redis://user:hunter2@127.0.0.1:port/0"},
	{"redis", "redis://user:hunter2@127.0.0.1:1/zero"},
	{"redis", "redis://user:hunter2?@127.0.0.1:1/0"},
	{"redis", "redis://user:a/hunter2@127.0.0.1:1/0"},
	{"redis", "redis://user:a#hunter2@127.0.0.1:1/0"},
	{"redis", "redis://user:%zzhunter2@127.0.0.1:1/0"},
	{"redis", "redis://user:a b:hunter2@[::1:1/0"},
	{"redis", "redis://user:hunter2@127.0.0.1:1/0?nonsense=1"},
	{"redis", "redis://user:hunter2@127.0.0.1:1/0?pool_size=many"},
	{"redis", "redis://user:a?b=hunter2@127.0.0.1:1/0"},
	{"redis", "http://user:hunter2@127.0.0.1:1/0"},
	{"redis", "user:hunter2@127.0.0.1:1"},
	{"redis+sentinel", "redis+sentinel://user:hunter2@127.0.0.1:1?password=hunter2"},
	{"redis+sentinel", "redis+sentinel://user:hunter2@127.0.0.1:1?master_name=m&password=hunter2&password=hunter2"},
	{"redis+cluster", "redis+cluster://user:hunter2@127.0.0.1:1/3?shards=0"},
	{"postgres", "postgres://user:hunter2@127.0.0.1:port/db"},
	{"postgres", "postgres://user:a/hunter2@127.0.0.1:1/db"},
	{"postgres", "postgres://user:a?b=hunter2@127.0.0.1:1/db"},
	{"postgres", "postgres://user:%zzhunter2@127.0.0.1:1/db"},
	{"postgres", "postgres://user:hunter2@127.0.0.1:1/db?sslmode=sometimes"},
	{"postgres", "postgres://user:hunter2@127.0.0.1:1/db?passwrod=hunter2"},
	{"postgres", "host=127.0.0.1 password=hunter2 passwrod=hunter2"},
	{"postgres", "host=127.0.0.1 password='hunter2"},
	{"postgres", "host=127.0.0.1 password=hunter2 port"},
	{"postgres", "host=127.0.0.1 password=a hunter2"},
	{"postgres", "hunter2"},
	{"sqlite", "postgres://user:hunter2@127.0.0.1:1/db"},
	{"sqlite", "file://user:hunter2@127.0.0.1/agents.db"},
	{"dynamodb", "dynamodb://user:hunter2@table"},
	{"dynamodb", "dynamodb://table?secret_access_key=hunter2"},
	{"dynamodb", "postgres://user:hunter2@127.0.0.1:1/db"},
	{"memory", "redis://user:hunter2@127.0.0.1:1/0"},
	{"redis://user:hunter2@127.0.0.1:1/0/and/more", "redis"},
}

// parseConfigs are the ParseConfig functions of the drivers.
var parseConfigs = map[string]func(dsn string) (any, error){
	"redis":    func(dsn string) (any, error) { return redis.ParseConfig(dsn) },
	"postgres": func(dsn string) (any, error) { return postgres.ParseConfig(dsn) },
	"sqlite":   func(dsn string) (any, error) { return sqlite.ParseConfig(dsn) },
	"dynamodb": func(dsn string) (any, error) { return dynamodb.ParseConfig(dsn) },
}

func parseConfig(driverName string) func(string) (any, error) {
	for name, parse := range parseConfigs {
		if strings.HasPrefix(driverName, name) || name == "redis" && strings.Contains(driverName+"+", "valkey") || strings.HasPrefix(driverName, "rediss") && name == "redis" {
			return parse
		}
	}
	return nil
}

// useUnreachable has a backend whose database cannot be reached fail in several
// ways, and returns what knows of it.
func useUnreachable(t *testing.T, b driver.Backend) (store *checkpoint.Store, log *bytes.Buffer, saveErr, loadErr, pingErr error) {
	t.Helper()
	log = new(bytes.Buffer)
	store = checkpoint.New(b, checkpoint.WithLogger(slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, saveErr = store.Save(ctx, "thread", "state")
	_, loadErr = store.Load(ctx, "thread", new(any))
	pingErr = b.Ping(ctx)
	if saveErr == nil || loadErr == nil || pingErr == nil {
		t.Errorf("errors of an unreachable database: %v, %v, %v, want three", saveErr, loadErr, pingErr)
	}
	return store, log, saveErr, loadErr, pingErr
}

// TestNoPasswordShows prints everything that knows a password in every way.
func TestNoPasswordShows(t *testing.T) {
	t.Parallel()
	for _, test := range withPassword {
		t.Run(test.dsn, func(t *testing.T) {
			t.Parallel()
			b, err := open(test.driver, test.dsn)
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			defer b.Close()
			store, log, saveErr, loadErr, pingErr := useUnreachable(t, b)
			config, err := parseConfig(test.driver)(test.dsn)
			if err != nil {
				t.Fatalf("ParseConfig: %v", err)
			}
			for _, v := range []any{b, store, config, &config, saveErr, loadErr, pingErr, struct{ V any }{config}, []any{b, store, config}} {
				noPassword(t, v)
			}
			if strings.Contains(log.String(), password) {
				t.Errorf("the log shows the password: %s", log)
			}
		})
	}
}

// TestNoAWSSecretShows: a secret that the SDK takes from the environment shows as
// little as one in a DSN. It sets the environment, and so does not run in
// parallel.
func TestNoAWSSecretShows(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", password)
	t.Setenv("AWS_SESSION_TOKEN", password)
	const dsn = "dynamodb://table?region=us-east-1&endpoint=http://127.0.0.1:1"
	b, err := open("dynamodb", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	store, log, saveErr, loadErr, pingErr := useUnreachable(t, b)
	config, err := parseConfig("dynamodb")(dsn)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{b, store, config, saveErr, loadErr, pingErr, []any{b, store, config}} {
		noPassword(t, v)
	}
	if strings.Contains(log.String(), password) {
		t.Errorf("the log shows the secret: %s", log)
	}
}

// noPassword fails if any way of printing v shows the password.
func noPassword(t *testing.T, v any) {
	t.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		if text := fmt.Sprintf(verb, v); strings.Contains(text, password) || strings.Contains(text, fmt.Sprintf("%x", password)) {
			t.Errorf("%s of a %T shows the password: %s", verb, v, text)
		}
	}
	if text, err := json.Marshal(v); err == nil && bytes.Contains(text, []byte(password)) {
		t.Errorf("JSON of a %T shows the password: %s", v, text)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
	if strings.Contains(log.String(), password) {
		t.Errorf("slog of a %T shows the password: %s", v, &log)
	}
}

// TestNoPasswordInErrorsOfOpen gives DSNs that are wrong close to a password.
func TestNoPasswordInErrorsOfOpen(t *testing.T) {
	t.Parallel()
	for _, test := range withBadPassword {
		t.Run(test.dsn, func(t *testing.T) {
			t.Parallel()
			s, err := checkpoint.Open(test.driver, test.dsn)
			if err == nil {
				s.Close()
				t.Fatalf("Open succeeded, want an error")
			}
			if !errors.Is(err, driver.ErrInvalid) && !errors.Is(err, checkpoint.ErrUnknownDriver) {
				t.Errorf("Open = %v, want ErrInvalid", err)
			}
			noPassword(t, err)
			if parse := parseConfig(test.driver); parse != nil {
				if _, err := parse(test.dsn); err != nil {
					noPassword(t, err)
				}
			}
			if _, err := checkpoint.OpenURL(test.dsn); err != nil {
				noPassword(t, err)
			}
		})
	}
}

// FuzzPassword puts a password that needs no escaping to its finder, and maybe
// to nobody else, into the place of the password.
func FuzzPassword(f *testing.F) {
	for _, s := range []string{"secret", "se?cret", "se@cret", "se/cret", "se#cret", "se&cret=1", "se%cret", "se cret", "'secret", `se\cret`, "se:cret", "se[cret]", "secret?a=b", "sec\x00ret", "sec\nret"} {
		for i := range passwordShapes {
			f.Add(i, s, "user", "host")
		}
	}
	f.Fuzz(func(t *testing.T, shape int, secret, user, host string) {
		if shape < 0 || shape >= len(passwordShapes) || len(secret) < 6 {
			t.Skip()
		}
		s := passwordShapes[shape]
		dsn := s.dsn(secret, user, host)
		shown, err := shownOf(s.driver, dsn)
		if err != nil && !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("Open(%q) = %v, want ErrInvalid", dsn, err)
		}
		if !strings.Contains(shown, secret) && !strings.Contains(shown, url.QueryEscape(secret)) {
			return
		}
		// It may stand there by chance, as a part of something else: then it is
		// there with another password as well.
		if other, _ := shownOf(s.driver, s.dsn(anotherPassword(secret), user, host)); other != shown {
			t.Errorf("Open(%q) shows the password: %s", dsn, shown)
		}
	})
}

// shownOf is the text of a backend, or of the error of opening it.
func shownOf(driverName, dsn string) (string, error) {
	b, err := open(driverName, dsn)
	if err != nil {
		return err.Error(), err
	}
	defer b.Close()
	return fmt.Sprintf("%+v", b), nil
}

// anotherPassword changes every letter and digit of a password and nothing else.
func anotherPassword(secret string) string {
	b := []byte(secret)
	for i, c := range b {
		switch {
		case c == '9' || c == 'z' || c == 'Z':
			b[i]--
		case '0' <= c && c < '9', 'a' <= c && c < 'z', 'A' <= c && c < 'Z':
			b[i]++
		}
	}
	return string(b)
}

var passwordShapes = []struct {
	driver string
	dsn    func(secret, user, host string) string
}{
	{"redis", func(s, user, host string) string { return "redis://" + user + ":" + s + "@" + host + "/0" }},
	{"redis+cluster", func(s, user, host string) string {
		return "redis+cluster://" + user + ":" + s + "@" + host + "?addr=h:1&shards=8"
	}},
	{"redis+sentinel", func(s, user, host string) string {
		return "redis+sentinel://" + host + "?master_name=m&password=" + s
	}},
	{"postgres", func(s, user, host string) string { return "postgres://" + user + ":" + s + "@" + host + "/db" }},
	{"postgres", func(s, user, host string) string { return "postgres://" + host + "/db?password=" + s }},
	{"postgres", func(s, user, host string) string {
		return "host=" + host + " user=" + user + " password=" + s + " dbname=db"
	}},
	{"sqlite", func(s, user, host string) string { return "postgres://" + user + ":" + s + "@" + host + "/db" }},
	{"memory", func(s, user, host string) string { return "redis://" + user + ":" + s + "@" + host + "/db" }},
}

// FuzzDSN: whatever a DSN is, Open returns a backend or ErrInvalid, does no I/O
// and does not panic.
func FuzzDSN(f *testing.F) {
	drivers := checkpoint.Drivers()
	for i := range drivers {
		for _, test := range append(withPassword, withBadPassword...) {
			f.Add(i, test.dsn)
		}
		f.Add(i, "")
		f.Add(i, "?")
		f.Add(i, "a?=&&=")
		f.Add(i, "a?addr=1&addr=2&addr=%00")
		f.Add(i, "host='\\' port=99999999999999999999")
	}
	f.Fuzz(func(t *testing.T, i int, dsn string) {
		if i < 0 || i >= len(drivers) {
			t.Skip()
		}
		b, err := open(drivers[i], dsn)
		switch {
		case err == nil:
			if err := b.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		case !errors.Is(err, driver.ErrInvalid):
			t.Errorf("Open(%q, %q) = %v, want ErrInvalid", drivers[i], dsn, err)
		}
	})
}
