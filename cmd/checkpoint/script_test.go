package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/cli/exportfile"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// serverMain runs the tests and then stops the servers that they have started.
type serverMain struct{ m *testing.M }

func (s serverMain) Run() int { return testserver.Run(s.m) }

func TestMain(m *testing.M) {
	for name, value := range awsEnvironment {
		os.Setenv(name, value)
	}
	testscript.Main(serverMain{m}, map[string]func(){"checkpoint": main})
}

// TestScripts runs testdata/script/*.txtar, each in a folder of its own, where the
// store is the default: the SQLite file checkpoints.db.
func TestScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, "testdata/script", nil)
}

// TestStores runs testdata/stores/*.txtar on every kind of store.
func TestStores(t *testing.T) {
	t.Parallel()
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runScripts(t, "testdata/stores", func(t testing.TB, env *testscript.Env) {
				for _, v := range []string{"CHECKPOINT_STORE", "OTHER"} {
					env.Setenv(v, open(t))
				}
			})
		})
	}
}

// TestIncremental runs testdata/incremental/*.txtar on stores that keep patches.
func TestIncremental(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"redis"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runScripts(t, "testdata/incremental", func(t testing.TB, env *testscript.Env) {
				url := stores[name](t)
				env.Setenv("CHECKPOINT_STORE", url)
				env.Setenv("INCREMENTAL", withWord(url, "incremental=true"))
			})
		})
	}
}

// stores give the URL of an empty store, each time another one.
var stores = map[string]func(testing.TB) string{
	"sqlite":   func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "store.db") },
	"postgres": testserver.Postgres,
	"redis":    func(t testing.TB) string { return withWord(testserver.Redis(t), "prefix="+rand.Text()[:8]+":") },
	"dynamodb": func(t testing.TB) string {
		return "dynamodb://checkpoint-" + rand.Text() + "?create_table=true&endpoint=" + testserver.DynamoDB(t)
	},
}

// awsEnvironment is what the AWS client needs to know, also of a server that
// takes anything, and keeps it from the settings of whoever runs the tests.
var awsEnvironment = map[string]string{
	"AWS_ACCESS_KEY_ID":           "test",
	"AWS_SECRET_ACCESS_KEY":       "test",
	"AWS_REGION":                  "us-east-1",
	"AWS_CONFIG_FILE":             os.DevNull,
	"AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	"AWS_EC2_METADATA_DISABLED":   "true",
}

func withWord(url, word string) string {
	if strings.Contains(url, "?") {
		return url + "&" + word
	}
	return url + "?" + word
}

func runScripts(t *testing.T, folder string, setUp func(testing.TB, *testscript.Env)) {
	testscript.Run(t, testscript.Params{
		Dir:                 folder,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("TZ", "UTC")
			env.Setenv("TMPDIR", env.WorkDir)
			env.Setenv("GORACE", "atexit_sleep_ms=0") // a command with the race detector would wait a second before it ends
			for name, value := range awsEnvironment {
				env.Setenv(name, value)
			}
			if setUp != nil {
				setUp(env.T().(testing.TB), env)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":  status,
			"mask":    mask,
			"oldfile": oldFile,
			"orphans": orphans,
		},
	})
}

// status N COMMAND... runs a command and wants the exit status N.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// What differs from run to run.
var (
	ids   = regexp.MustCompile(`\b[A-Z2-7]{26}\b`)
	times = regexp.MustCompile(`\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?\b`)
	spans = regexp.MustCompile(`"(\w+_(us|ms)|per_second|count)":[0-9.e+]+`)
	sizes = regexp.MustCompile(`"(size|bytes)":\d+|\b\d+ B\b`)
)

// mask FILE [sizes] writes the last command's standard output to FILE, with ids,
// times and durations made the same and JSON without white space; and sizes, which
// differ where a store holds JSON natively.
func mask(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 || len(args) == 2 && args[1] != "sizes" {
		ts.Fatalf("usage: mask FILE [sizes]")
	}
	var out strings.Builder
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		var compact bytes.Buffer
		if json.Compact(&compact, []byte(line)) == nil {
			line = compact.String() + "\n"
		}
		line = ids.ReplaceAllString(line, "ID")
		line = times.ReplaceAllString(line, "TIME")
		line = spans.ReplaceAllString(line, `"$1":0`)
		if len(args) == 2 {
			line = sizes.ReplaceAllString(line, "SIZE")
		}
		out.WriteString(line)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(out.String()), 0o600))
}

// oldFile FILE writes an export of the namespace old: the thread aged, whose first
// version was recorded with an expiry that is over and whose second one is for
// ever, and the thread gone, which has expired.
func oldFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: oldfile FILE")
	}
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	saved := time.Now().UTC().Truncate(time.Microsecond).Add(-48 * time.Hour)
	w, err := exportfile.NewWriter(f, exportfile.Header{Namespace: "old", ExportedAt: saved})
	ts.Check(err)
	for _, cp := range []driver.Checkpoint{
		{Info: driver.Info{Key: driver.Key{Namespace: "old", Thread: "aged"}, Version: 1, ExpiresAt: saved.Add(time.Hour)}},
		{Info: driver.Info{Key: driver.Key{Namespace: "old", Thread: "aged"}, Version: 2}},
		{Info: driver.Info{Key: driver.Key{Namespace: "old", Thread: "gone"}, Version: 1, ExpiresAt: saved.Add(time.Hour)}},
	} {
		cp.ID, cp.Encoding, cp.Payload = rand.Text(), "json", []byte(`{"a":1}`)
		cp.CreatedAt, cp.SavedAt = saved, saved
		ts.Check(w.Write(cp))
	}
	ts.Check(w.Close())
}
