package robustness

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/cli/exportfile"
)

// The threads of the file that is imported, and the versions of each.
const (
	importedThreads  = 40
	importedVersions = 4
)

// TestKilledWhileImporting kills "checkpoint import" at random moments. What it
// leaves is a part of the file, each thread from its first version on and each
// state whole; the same import run again brings the rest; and when everything has
// been deleted nothing is left over.
//
// Half of -proof.kills is the number of kills for each system.
func TestKilledWhileImporting(t *testing.T) {
	command := filepath.Join(t.TempDir(), "checkpoint")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", command, "../../../cmd/checkpoint").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	file := exported(t)
	eachDatabase(t, func(t *testing.T, d *deployment) {
		if d.fresh == nil {
			t.Skip("ends with the process")
		}
		seed := seedOf(t)
		random := rand.New(rand.NewPCG(seed, 2))
		b := d.handle(t)
		if err := b.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		c := &crashSite{t: t, d: d, store: crashStore(b, "import", crashNow)}
		empty := c.empty()
		partial, runs := 0, max(1, *proofKills/2)
		for run := range runs {
			namespace := fmt.Sprint("import-", run)
			store := checkpoint.New(b, checkpoint.WithNamespace(namespace))
			arguments := []string{"import", file, "--namespace", namespace, "--store", storeURL(d)}
			killed(t, random, command, arguments)
			n := checkImport(t, store, false)
			if n > 0 && n < importedThreads*importedVersions {
				partial++
			}
			if out, err := exec.CommandContext(t.Context(), command, arguments...).CombinedOutput(); err != nil {
				t.Errorf("the import run again: %v\n%s", err, out)
			}
			if n := checkImport(t, store, true); n != importedThreads*importedVersions {
				t.Errorf("after the import run again there are %d checkpoints, want %d", n, importedThreads*importedVersions)
			}
			if left := c.leftover(namespace); left > empty {
				t.Errorf("%d rows, keys or items are left when everything was deleted and purged, want %d as before the first kill", left, empty)
			}
			if t.Failed() {
				t.Fatalf("run %d of seed %d", run, seed)
			}
		}
		t.Logf("%d kills, %d in the middle of the import", runs, partial)
		proved(t, "kill", d.driver, fmt.Sprintf("%d kills while importing, %d of them in the middle", runs, partial), seed)
	})
}

// storeURL is the DSN of a deployment as the command takes it.
func storeURL(d *deployment) string {
	if strings.Contains(d.dsn, ":") {
		return d.dsn
	}
	return d.driver + ":" + d.dsn
}

// importedState is the state of a version in the file.
func importedState(thread, version int) state {
	n := thread*importedVersions + version
	return state{N: n, Pad: strings.Repeat("z", padding(n))}
}

func importedThread(i int) string { return fmt.Sprintf("thread-%03d", i) }

// exported is a file as "checkpoint export" writes it.
func exported(t testing.TB) string {
	t.Helper()
	var file bytes.Buffer
	w, err := exportfile.NewWriter(&file, exportfile.Header{Namespace: "exported", ExportedAt: crashNow})
	if err != nil {
		t.Fatal(err)
	}
	for i := range importedThreads {
		for v := 1; v <= importedVersions; v++ {
			s := importedState(i, v)
			payload := fmt.Sprintf(`{"N":%d,"Worker":0,"Pad":%q}`, s.N, s.Pad)
			err := w.Write(driver.Checkpoint{
				Info: driver.Info{
					Key: driver.Key{Namespace: "exported", Thread: importedThread(i)}, ID: fmt.Sprintf("id-%d-%d", i, v), Version: int64(v),
					Encoding: "json", Size: len(payload), CreatedAt: crashNow, SavedAt: crashNow.Add(time.Duration(v) * time.Second),
				},
				Payload: []byte(payload),
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "export.jsonl")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// killed runs a command and kills it at a random moment, most likely before it
// has ended.
func killed(t testing.TB, random *rand.Rand, command string, arguments []string) {
	t.Helper()
	cmd := exec.Command(command, arguments...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(time.Duration(random.Int64N(int64(600*time.Millisecond))), func() { cmd.Process.Kill() })
	cmd.Wait()
	kill.Stop()
}

// checkImport loads everything that is listed and compares it to the file. It
// returns how many checkpoints there are.
func checkImport(t testing.TB, store *checkpoint.Store, whole bool) int {
	t.Helper()
	n := 0
	for i := range importedThreads {
		var versions []int64
		for info, err := range store.History(t.Context(), importedThread(i), checkpoint.HistoryOptions{}) {
			var got state
			if err == nil {
				_, err = store.LoadVersion(t.Context(), info.Thread, info.Version, &got)
			}
			if err != nil || got != importedState(i, int(info.Version)) || info.ID != fmt.Sprintf("id-%d-%d", i, info.Version) {
				t.Errorf("version %d of %s is %s with the state %d, %v, want that of the file", info.Version, importedThread(i), info.ID, got.N, err)
			}
			versions = append(versions, info.Version)
		}
		for j, v := range versions {
			if v != int64(len(versions)-j) || whole && len(versions) != importedVersions {
				t.Errorf("%s has the versions %v, want every one from the first on", importedThread(i), versions)
				break
			}
		}
		n += len(versions)
	}
	return n
}
