package testserver

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if kind := os.Getenv("TESTSERVER_VICTIM"); kind != "" {
		victim(kind)
	}
	Main(m)
}

// wait polls for what must happen soon.
func wait(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !happened(); time.Sleep(pollTime) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// victim is a test binary that starts a server, prints where it is, and is
// killed.
func victim(kind string) {
	var p *Process
	var err error
	o := &owner{cleanup: func(func()) {}}
	switch kind {
	case "redis":
		p, err = startRedis(o, RedisOptions{})
	case "postgres":
		p, err = startPostgres(o, PostgresOptions{})
	}
	if err != nil {
		panic(err)
	}
	os.WriteFile(os.Getenv("TESTSERVER_VICTIM_FILE"), []byte(p.Addr+" "+filepath.Dir(p.Dir)+"\n"), 0o600)
	self, _ := os.FindProcess(os.Getpid())
	self.Kill()
	select {}
}

func TestNothingSurvivesAKilledTestBinary(t *testing.T) {
	for _, kind := range []string{"redis", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			if kind == "redis" {
				Redis(t) // skips where there is none
			} else {
				Postgres(t)
			}
			report := filepath.Join(t.TempDir(), "report")
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "TESTSERVER_VICTIM="+kind, "TESTSERVER_VICTIM_FILE="+report)
			if out, err := cmd.CombinedOutput(); err == nil || err.Error() != "signal: killed" {
				t.Fatalf("got %v, want a killed process: %s", err, out)
			}
			text, err := os.ReadFile(report)
			if err != nil {
				t.Fatal(err)
			}
			addr, dir, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
			wait(t, "the server ends", func() bool { return refused(addr) })
			wait(t, "its folder is removed", func() bool {
				removeAbandoned()
				_, err := os.Stat(dir)
				return os.IsNotExist(err)
			})
		})
	}
}

// A recorder is a testing.TB that notes how a test would have ended.
type recorder struct {
	testing.TB
	outcome string
}

func (r *recorder) Helper()               {}
func (r *recorder) Skipf(string, ...any)  { r.end("skip") }
func (r *recorder) Fatalf(string, ...any) { r.end("fail") }
func (r *recorder) Fatal(...any)          { r.end("fail") }

// end notes the first outcome; a real test would not go on after it.
func (r *recorder) end(outcome string) { r.outcome = cmp.Or(r.outcome, outcome) }

func TestMissingServer(t *testing.T) {
	tests := []struct{ ci, require, want string }{
		{"", "", "skip"},
		{"true", "", "fail"},
		{"", "1", "fail"},
		{"false", "0", "skip"},
	}
	for _, test := range tests {
		t.Setenv("CI", test.ci)
		t.Setenv("CHECKPOINT_TEST_REQUIRE", test.require)
		_, err := find("a package", []string{"no-such-server"})
		r := &recorder{}
		if check(r, err); r.outcome != test.want {
			t.Errorf("CI=%q CHECKPOINT_TEST_REQUIRE=%q: got %s, want %s", test.ci, test.require, r.outcome, test.want)
		}
	}
}

func TestServerThatDoesNotStart(t *testing.T) {
	t.Parallel()
	Redis(t)
	r := &recorder{}
	_, err := startRedis(ownedBy(t), RedisOptions{Config: []string{"no-such-directive yes"}})
	if check(r, err); r.outcome != "fail" {
		t.Errorf("got %q, want fail, CI or not", r.outcome)
	}
	if err == nil || !strings.Contains(err.Error(), "no-such-directive") {
		t.Errorf("got %v, want the server's log", err)
	}
}

func TestTakenPort(t *testing.T) {
	t.Parallel()
	tests := map[string]func(o *owner, port int) error{
		"redis": func(o *owner, port int) error {
			path, err := findRedis()
			check(t, err)
			p, err := prepared(o, "redis", func(p *Process, _ int) (command, error) {
				return redisCommand(p.Dir, path, redisLines(p.Dir, port))
			})
			check(t, err)
			return p.start()
		},
		"postgres": func(o *owner, port int) error {
			p, err := startPostgres(o, PostgresOptions{})
			check(t, err)
			p.Stop()
			p.command.args[3] = itoa(port)
			return p.start()
		},
	}
	for name, start := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := takePort(t)
			if err := start(ownedBy(t), port); !isPortTaken(err) {
				t.Errorf("got %v, want %v", err, errPortTaken)
			}
		})
	}
}

func TestNewest(t *testing.T) {
	t.Parallel()
	got := newest([]string{"/usr/lib/postgresql/15/bin/psql", "/usr/lib/postgresql/16/bin/psql", "/usr/lib/postgresql/9/bin/psql"})
	if want := "/usr/lib/postgresql/16/bin/psql"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
