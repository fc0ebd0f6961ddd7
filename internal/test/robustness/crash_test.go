package robustness

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
)

// TestKilled kills processes that save, append, copy, rekey, purge and delete at
// random moments, and looks at what they leave: every acknowledged save is there,
// nothing is torn, nothing is listed that cannot be loaded, what was interrupted
// can be finished, and when everything has been deleted nothing is left over.
//
// -proof.kills sets the number of kills for each system.
func TestKilled(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *deployment) {
		if d.fresh == nil {
			t.Skip("ends with the process")
		}
		seed := seedOf(t)
		random := rand.New(rand.NewPCG(seed, 0))
		c := newCrashSite(t, d)
		for run := range *proofKills {
			lines := c.killed("work", d.dsn, run, random, 200*time.Millisecond)
			for _, check := range []func(){
				func() { c.checkSaves(lines) },
				func() { c.checkLog(lines) },
				c.checkKept,
				func() { c.checkCopy(run) },
				c.checkRekey,
				c.checkPurge,
				c.checkListing,
			} {
				c.patiently(check)
			}
			if t.Failed() {
				t.Fatalf("after run %d of seed %d", run, seed)
			}
		}
		t.Logf("%d kills, %d acknowledged saves, %d acknowledged at the moment of a kill", *proofKills, c.acknowledged, c.surprised)
		if c.acknowledged == 0 {
			t.Error("no save was acknowledged before a kill: this proves nothing")
		}
		if left := c.leftover("saves", "log", "rekey", "purge", "deletes", "prefix"); left > c.permanent {
			shown := ""
			if d.show != nil {
				shown = ": " + d.show(t)
			}
			t.Fatalf("%d rows, keys or items are left when everything was deleted and purged, want %d as before the first kill%s", left, c.permanent, shown)
		}
		proved(t, "kill", d.driver, fmt.Sprintf("%d kills at work, %d acknowledged saves", *proofKills, c.acknowledged), seed)
	})
}

// TestKilledWhileMigrating kills processes during their first Ping of an empty
// database.
func TestKilledWhileMigrating(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *deployment) {
		if d.fresh == nil {
			t.Skip("ends with the process")
		}
		seed := seedOf(t)
		random := rand.New(rand.NewPCG(seed, 1))
		for run := range max(1, *proofKills/2) {
			dsn := d.fresh(t)
			c := &crashSite{t: t, d: d}
			lines := c.killed("migrate", dsn, run, random, 20*time.Millisecond)
			b, err := open(d.driver, dsn)
			if err != nil {
				t.Fatal(err)
			}
			store := checkpoint.New(b)
			if err := store.Ping(t.Context()); err != nil {
				t.Fatalf("Ping after a kill during the first one: %v", err)
			}
			want := int64(1)
			if len(lines) > 0 {
				want = 2
			}
			info, err := store.Save(t.Context(), "first", 2)
			if err != nil || info.Version < want {
				t.Fatalf("Save after the kill = version %d, %v, want %d or more", info.Version, err, want)
			}
			b.Close()
		}
		proved(t, "kill", d.driver, fmt.Sprintf("%d kills in the first Ping", max(1, *proofKills/2)), seed)
	})
}

// A crashSite is the namespaces that children work on until they are killed.
type crashSite struct {
	t     testing.TB
	d     *deployment
	store *checkpoint.Store
	saves map[string]acknowledged

	appended, appending     int64 // the last event that was reported as done, and the highest that was tried
	acknowledged, surprised int
	permanent               int // what is stored when no thread is left
}

// acknowledged is the last save of a thread that was reported as done, and the
// highest version that any child has tried: its save may land late, after a
// look at what it left.
type acknowledged struct {
	version int64
	id      string
	tried   int64
}

// crashNow is the clock of all processes; children purge an hour later.
var crashNow = time.Date(2060, 1, 1, 0, 0, 0, 0, time.UTC)

func newCrashSite(t testing.TB, d *deployment) *crashSite {
	c := &crashSite{t: t, d: d, saves: map[string]acknowledged{}}
	c.store = crashStore(d.handle(t), "saves", crashNow, checkpoint.WithIncremental())
	if err := c.store.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.permanent = c.empty()
	rekeyed := c.store.Namespace("rekey")
	for i := range 5 {
		for v := range keep {
			if _, err := rekeyed.Save(t.Context(), fmt.Sprint("secret-", i), secret(v)); err != nil {
				t.Fatal(err)
			}
		}
	}
	purged := c.store.Namespace("purge")
	for i := range 5 {
		if _, err := purged.Save(t.Context(), fmt.Sprint("live-", i), i); err != nil {
			t.Fatal(err)
		}
	}
	c.keepBesidePrefix()
	return c
}

func crashStore(b driver.Backend, namespace string, now time.Time, opts ...checkpoint.Option) *checkpoint.Store {
	return checkpoint.New(b, append(opts, checkpoint.WithNamespace(namespace), checkpoint.WithHistory(keep),
		checkpoint.WithEncryption(crashKeys(0)), checkpoint.WithClock(func() time.Time { return now }))...)
}

// crashKeys are the keys that children rekey to, in turn.
func crashKeys(run int) *checkpoint.Keyring {
	key := func(i int) []byte { return bytes.Repeat([]byte{byte(i % 3)}, 32) }
	k, err := checkpoint.NewKeyring(key(run), key(run+1), key(run+2))
	if err != nil {
		panic(err)
	}
	return k
}

// killed runs a child process and kills it at a random moment after it has
// begun. It returns the lines the child has written.
func (c *crashSite) killed(role, dsn string, run int, random *rand.Rand, most time.Duration) []string {
	c.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"="+role, childDriver+"="+c.d.driver, childDSN+"="+dsn, fmt.Sprintf("%s=%d", childRun, run))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	var lines []string
	scanner := bufio.NewScanner(out)
	if !scanner.Scan() || scanner.Text() != "begun" {
		cmd.Process.Kill()
		cmd.Wait()
		c.t.Fatalf("the child said %q and %s", scanner.Text(), stderr.String())
	}
	wait := time.Duration(random.Int64N(int64(most)))
	if role != "work" || run%2 == 0 { // otherwise it first gets something done
		defer time.AfterFunc(wait, func() { cmd.Process.Kill() }).Stop()
	}
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
		if strings.HasPrefix(scanner.Text(), "saved") && run%2 == 1 {
			defer time.AfterFunc(wait, func() { cmd.Process.Kill() }).Stop()
		}
	}
	cmd.Wait()
	if s := stderr.String(); s != "" {
		c.t.Errorf("the child failed: %s", s)
	}
	return lines
}

// checkSaves compares what is stored to what the child was told.
func (c *crashSite) checkSaves(lines []string) {
	for _, line := range lines {
		var thread, id string
		var v int64
		switch n, _ := fmt.Sscan(line, new(string), &thread, &v, &id); {
		case strings.HasPrefix(line, "saving ") && n == 3:
			a := c.saves[thread]
			a.tried = max(a.tried, v)
			c.saves[thread] = a
		case strings.HasPrefix(line, "saved ") && n == 4:
			c.saves[thread] = acknowledged{v, id, c.saves[thread].tried}
			c.acknowledged++
		}
	}
	for thread, want := range c.saves {
		var s state
		info, err := c.store.Load(c.t.Context(), thread, &s)
		switch {
		case errors.Is(err, checkpoint.ErrNotFound) && want.version == 0:
			continue
		case err != nil:
			c.t.Errorf("Load(%s) after the kill: %v, want version %d", thread, err, want.version)
		case info.Version == want.version && info.ID == want.id:
		case info.Version > want.version && info.Version <= want.tried: // under way when the child died
			c.surprised++
			c.saves[thread] = acknowledged{info.Version, info.ID, want.tried}
		default:
			c.t.Errorf("Load(%s) after the kill = version %d id %s, want version %d id %s or at most version %d", thread, info.Version, info.ID, want.version, want.id, want.tried)
		}
		if err == nil && (s.N != int(info.Version) || len(s.Pad) != padding(s.N)) {
			c.t.Errorf("Load(%s) = state %d with %d bytes, want that of version %d", thread, s.N, len(s.Pad), info.Version)
		}
	}
}

// padding is the size of the n-th state of a thread: saved incrementally, the third
// of five and the fourth are patches.
func padding(n int) int {
	return []int{500_000, 10, 6_000, 6_000, 6_000}[n%5]
}

// checkCopy finishes the copy that the child began, and compares.
func (c *crashSite) checkCopy(run int) {
	ctx := c.t.Context()
	src := copySource(ctx)
	dst := c.store.Namespace(fmt.Sprint("copy-", run))
	if _, err := checkpoint.Copy(ctx, dst, src, checkpoint.CopyOptions{History: true}); err != nil {
		c.t.Errorf("Copy after the kill: %v", err)
		return
	}
	for want, err := range src.List(ctx, checkpoint.ListOptions{}) {
		if err != nil {
			c.t.Fatal(err)
		}
		var versions []int64
		for info, err := range dst.History(ctx, want.Thread, checkpoint.HistoryOptions{}) {
			if err != nil {
				c.t.Error(err)
			}
			versions = append(versions, info.Version)
		}
		var wantState, gotState state
		src.Load(ctx, want.Thread, &wantState)
		info, err := dst.Load(ctx, want.Thread, &gotState)
		if err != nil || info.ID != want.ID || gotState != wantState || len(versions) != keep || versions[0] != want.Version {
			c.t.Errorf("%s was copied as id %s with versions %v, %v, want id %s and %d versions up to %d",
				want.Thread, info.ID, versions, err, want.ID, keep, want.Version)
		}
	}
}

// copySource is a store with the same content in every process.
func copySource(ctx context.Context) *checkpoint.Store {
	b, _ := open("memory", "")
	for i := range 6 {
		for v := range 5 {
			imported := driver.ImportRequest{Now: crashNow, Keep: keep}
			imported.Key = driver.Key{Namespace: "source", Thread: fmt.Sprint("copied-", i)}
			imported.ID, imported.Version, imported.Encoding = fmt.Sprintf("id-%d-%d", i, v), int64(v+1), "json"
			imported.CreatedAt, imported.SavedAt = crashNow, crashNow
			imported.Payload = []byte(fmt.Sprintf(`{"N":%d,"Pad":%q}`, v, strings.Repeat("y", padding(i+v))))
			if err := b.(driver.Importer).Import(ctx, imported); err != nil {
				panic(err)
			}
		}
	}
	return checkpoint.New(b, checkpoint.WithNamespace("source"), checkpoint.WithClock(func() time.Time { return crashNow }))
}

// secret is the n-th state of a thread that is rekeyed, large enough for patches.
func secret(n int) string { return fmt.Sprint("state-", n, strings.Repeat(" and more", 600)) }

// checkRekey looks whether every version is sealed by one of the keys, whole.
func (c *crashSite) checkRekey() {
	rekeyed := c.store.Namespace("rekey")
	for i := range 5 {
		for v := range keep {
			var got string
			_, err := rekeyed.LoadVersion(c.t.Context(), fmt.Sprint("secret-", i), int64(v+1), &got)
			if want := secret(v); err != nil || got != want {
				c.t.Errorf("version %d after a rekeying was killed = %.20q, %v, want %.20q", v+1, got, err, want)
			}
		}
	}
}

// handle opens a backend for one look, which closes it: a server has room for some
// hundred connections, and there may be more kills.
func (c *crashSite) handle() driver.Backend {
	c.t.Helper()
	b, err := open(c.d.driver, c.d.dsn)
	if err != nil {
		c.t.Fatalf("open: %v", err)
	}
	return b
}

// checkPurge finishes the purge that the child began.
func (c *crashSite) checkPurge() {
	b := c.handle()
	defer b.Close()
	later := crashStore(b, "purge", crashNow.Add(time.Hour))
	if _, err := later.Purge(c.t.Context()); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		c.t.Errorf("Purge after the kill: %v", err)
	}
	live := 0
	for info, err := range c.store.Namespace("purge").List(c.t.Context(), checkpoint.ListOptions{}) {
		if err != nil || !strings.HasPrefix(info.Thread, "live-") {
			c.t.Errorf("after Purge the list has %q, %v", info.Thread, err)
		}
		live++
	}
	if live != 5 {
		c.t.Errorf("after Purge %d live threads are left, want 5", live)
	}
}

// checkListing loads everything that is listed, in every version.
func (c *crashSite) checkListing() {
	ctx := c.t.Context()
	for _, namespace := range []string{"saves", "deletes", "prefix"} {
		store := c.store.Namespace(namespace)
		for listed, err := range store.List(ctx, checkpoint.ListOptions{}) {
			if err != nil {
				c.t.Errorf("List: %v", err)
			}
			last := listed.Version + 1
			for info, err := range store.History(ctx, listed.Thread, checkpoint.HistoryOptions{}) {
				var s state
				if err == nil {
					_, err = store.LoadVersion(ctx, listed.Thread, info.Version, &s)
				}
				if err != nil || info.Version != last-1 {
					c.t.Errorf("%s is listed at version %d, and version %d of its history is %v", listed.Thread, listed.Version, info.Version, err)
				}
				last = info.Version
			}
			if last > max(1, listed.Version-keep+1) {
				c.t.Errorf("%s is listed at version %d, and its history ends at %d", listed.Thread, listed.Version, last)
			}
		}
	}
}

// empty counts what is stored when a thread has been made and deleted: a list of
// namespaces, for example.
func (c *crashSite) empty() int {
	c.t.Helper()
	if _, err := c.store.Namespace("deletes").Save(c.t.Context(), "first", 1); err != nil {
		c.t.Fatal(err)
	}
	return c.leftover("deletes")
}

// leftover deletes and purges what is in the namespaces, and in those of copies,
// and counts what is stored then.
func (c *crashSite) leftover(of ...string) int {
	c.t.Helper()
	ctx := c.t.Context()
	b := c.handle()
	defer b.Close()
	namespaces := map[string]bool{}
	for _, ns := range of {
		namespaces[ns] = true
	}
	if l, ok := b.(driver.NamespaceLister); ok {
		for ns, err := range l.Namespaces(ctx) {
			if err != nil {
				c.t.Fatal(err)
			}
			if strings.HasPrefix(ns, "copy-") {
				namespaces[ns] = true
			}
		}
	}
	for ns := range namespaces {
		store := c.store.Namespace(ns)
		for info, err := range store.List(ctx, checkpoint.ListOptions{}) {
			if err == nil {
				err = patiently(func() error { return store.Delete(ctx, info.Thread) })
			}
			if err != nil {
				c.t.Fatal(err)
			}
		}
	}
	// A deletion, too, may have left to Purge what a busy server did not let it remove.
	if c.d.age != nil {
		c.d.age(c.t)
	}
	for ns := range namespaces {
		err := patiently(func() error {
			_, err := crashStore(b, ns, crashNow.AddDate(10, 0, 0)).Purge(ctx)
			return err
		})
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			c.t.Fatal(err)
		}
	}
	return c.d.stored(c.t)
}

// patiently runs a check, and again where the server was too busy for it: what it did
// not answer shows nothing.
func (c *crashSite) patiently(check func()) {
	t := c.t
	defer func() { c.t = t }()
	var found *failures
	patiently(func() error {
		found = &failures{TB: t}
		c.t = found
		check()
		return found.unavailable
	})
	for _, failure := range found.texts {
		t.Error(failure)
	}
}

// failures are what a check has to say, and the error among it that tells that the
// server did not answer.
type failures struct {
	testing.TB
	texts       []string
	unavailable error
}

func (f *failures) Error(args ...any) { f.add(fmt.Sprint(args...), args) }

func (f *failures) Errorf(format string, args ...any) { f.add(fmt.Sprintf(format, args...), args) }

func (f *failures) add(text string, args []any) {
	f.texts = append(f.texts, text)
	for _, arg := range args {
		if err, ok := arg.(error); ok && errors.Is(err, checkpoint.ErrUnavailable) {
			f.unavailable = err
		}
	}
}

// patiently repeats what a server was too busy for.
func patiently(do func() error) error {
	var err error
	for range 10 {
		if err = do(); !errors.Is(err, checkpoint.ErrUnavailable) {
			break
		}
	}
	return err
}
