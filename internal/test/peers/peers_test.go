// Package peers measures this project beside what else a program could save its states
// with, on the same servers, from the value in the program to the database's answer and
// back: Dapr's state components, Go CDK's docstore, the Rust crate agents-persistence,
// and an older revision of its own.
//
//	go test ./internal/test/peers -run TestWrite -write -v
//	go test ./internal/test/peers -run TestWrite -write -v -against v0.1.0 -others=false
//
// writes what it finds into a section of BENCHMARKS.md. Each store is a program of its
// own (package worker says what it is told), for their dependencies exclude each other.
// Without -write it makes a short run of this project alone, on SQLite.
package peers

import (
	"bufio"
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
	"github.com/go-ckpt/checkpoint/internal/test/benchpage"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

var (
	write   = flag.Bool("write", false, "write the section of BENCHMARKS.md, with a run of full length")
	output  = flag.String("output", "../../../BENCHMARKS.md", "the file that -write writes to")
	others  = flag.Bool("others", true, "with -write: measure the other stores, which takes minutes to compile")
	against = flag.String("against", "", "measure this revision of the project too")
	only    = flag.String("only", "", "measure on these databases alone, such as sqlite,redis")
	length  = flag.Duration("length", 300*time.Millisecond, "how long a turn of one store is")
	rounds  = flag.Int("rounds", 9, "turns of each")
)

func TestMain(m *testing.M) { testserver.Main(m) }

// A program is a store that is measured.
type program struct {
	name      string // as the table has it
	path      string
	args      []string
	databases []string
}

const self = "checkpoint"

var databases = []string{"sqlite", "redis", "postgres", "dynamodb"}

// programs builds what is measured, this project first.
func programs(t *testing.T) []program {
	t.Helper()
	folder := t.TempDir()
	all := []program{{name: self, path: build(t, "../../..", folder, "./internal/test/peers/checkpoint"), databases: databases}}
	if *against != "" {
		all = append(all, program{name: self + " " + *against, path: buildRevision(t, folder), databases: databases})
	}
	if !*write || !*others {
		return all
	}
	all = append(all,
		program{name: "Dapr", path: build(t, "others", folder, "./dapr"), databases: databases},
		program{name: "Go CDK docstore", path: build(t, "others", folder, "./docstore"), databases: []string{"dynamodb"}})
	if _, err := exec.LookPath("cargo"); err != nil {
		t.Log("NOT MEASURED for want of cargo: the crate agents-persistence")
		return all
	}
	target := filepath.Join(cmp.Or(os.Getenv("CARGO_TARGET_DIR"), folder), "release", "crate-worker")
	command(t, "crate", "cargo", "build", "--release", "--quiet", "--locked", "--target-dir", filepath.Dir(filepath.Dir(target)))
	return append(all, program{name: "agents-persistence", path: target, args: []string{stateFiles(t)}, databases: []string{"redis", "postgres"}})
}

func build(t *testing.T, module, folder, pkg string) string {
	t.Helper()
	path := filepath.Join(folder, filepath.Base(pkg))
	command(t, module, "go", "build", "-o", path, pkg)
	return path
}

// buildRevision builds the program of this project with the project as it was.
func buildRevision(t *testing.T, folder string) string {
	t.Helper()
	tree := filepath.Join(folder, "revision")
	command(t, "../../..", "git", "worktree", "add", "--quiet", "--force", "--detach", tree, "--", *against)
	t.Cleanup(func() { command(t, "../../..", "git", "worktree", "remove", "--force", tree) })
	for _, part := range []string{"worker", self} {
		if err := os.CopyFS(filepath.Join(tree, "internal", "test", "peers", part), os.DirFS(part)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	path := filepath.Join(folder, "checkpoint-revision")
	command(t, tree, "go", "build", "-o", path, "./internal/test/peers/checkpoint")
	return path
}

func command(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	c := exec.Command(name, args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

var sizes = []int{2 << 10, 100 << 10}

// stateFiles writes the states that the other programs make, for one that is not Go.
func stateFiles(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, size := range sizes {
		for i := range 8 {
			if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%d-%d.json", size, i)), agentstate.JSON(size, uint64(i)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return folder
}

// A process is a program that runs.
type process struct {
	name   string
	in     io.Writer
	out    *bufio.Scanner
	errors *strings.Builder
}

func start(t *testing.T, p program, database, address string) *process {
	t.Helper()
	c := exec.Command(p.path, append([]string{database, address}, p.args...)...)
	c.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=peers", "AWS_SECRET_ACCESS_KEY=peers", "AWS_REGION=us-east-1")
	started := &process{name: p.name, errors: new(strings.Builder)}
	c.Stderr = started.errors
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := c.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", p.name, err, started.errors)
		}
	})
	started.in, started.out = in, bufio.NewScanner(out)
	return started
}

// do has it work for a turn, and returns how long a call took.
func (p *process) do(t *testing.T, operation string, size, callers int, length time.Duration) time.Duration {
	t.Helper()
	fmt.Fprintln(p.in, operation, size, callers, length.Milliseconds())
	if !p.out.Scan() {
		t.Fatalf("%s: %s of %d bytes: no answer", p.name, operation, size) // the clean-up has its errors
	}
	var took, calls int64
	if _, err := fmt.Sscan(p.out.Text(), &took, &calls); err != nil || took <= 0 || calls <= 0 {
		t.Fatalf("%s: %s of %d bytes: the answer %q, %v", p.name, operation, size, p.out.Text(), err)
	}
	return time.Duration(took)
}

// address is where a database can be found that waits for its disk as one in production does.
func address(t *testing.T, database string) string {
	t.Helper()
	switch database {
	case "sqlite":
		return t.TempDir() // each has a file of its own
	case "redis":
		return testserver.StartRedis(t, testserver.RedisOptions{Config: []string{"appendonly yes", "appendfsync everysec"}}).URL
	case "postgres":
		return testserver.StartPostgres(t, testserver.PostgresOptions{Fsync: true}).URL
	}
	return testserver.DynamoDB(t)
}

// A row compares a peer with this project.
type row struct {
	database, operation string
	size, callers       int
	peer                string
	ours, theirs        time.Duration // medians of the turns
}

func (r row) ratio() float64 { return float64(r.ours) / float64(r.theirs) }

// compare lets all programs of a database take turns.
func compare(t *testing.T, database string, all []program) (rows []row) {
	t.Helper()
	at := address(t, database)
	var running []*process
	for _, p := range all {
		if !slices.Contains(p.databases, database) {
			continue
		}
		own := at
		if database == "sqlite" {
			own = filepath.Join(at, strings.ReplaceAll(p.name, " ", "-")+".db")
		}
		running = append(running, start(t, p, database, own))
	}
	for _, size := range sizes {
		for _, callers := range []int{1, 8} {
			for _, operation := range []string{"save", "load"} {
				took := make([][]time.Duration, len(running))
				for turn := range *rounds + 1 {
					for i := range running {
						i = (i + turn) % len(running) // none always goes first
						if d := running[i].do(t, operation, size, callers, *length); turn > 0 {
							took[i] = append(took[i], d)
						}
					}
				}
				for i := range running {
					slices.Sort(took[i])
					r := row{database, operation, size, callers, running[i].name, took[0][len(took[0])/2], took[i][len(took[i])/2]}
					t.Logf("%s, %s of %d bytes, %d callers: %v, %s %v, ratio %.2f", database, operation, size, callers, r.ours, r.peer, r.theirs, r.ratio())
					if i > 0 {
						rows = append(rows, r)
					}
				}
			}
		}
	}
	return rows
}

func TestWrite(t *testing.T) {
	if !*write {
		*length, *rounds, *only, sizes = 5*time.Millisecond, 1, databases[0], sizes[:1]
	}
	began := time.Now()
	all := programs(t)
	var rows []row
	for _, database := range databases {
		t.Run(database, func(t *testing.T) {
			if *only != "" && !slices.Contains(strings.Split(*only, ","), database) {
				t.Skip("SKIPPED: -only names others")
			}
			rows = append(rows, compare(t, database, all)...)
		})
	}
	if *write && !t.Failed() {
		if err := benchpage.Replace(*output, section(rows, began)); err != nil {
			t.Fatal(err)
		}
	}
}
