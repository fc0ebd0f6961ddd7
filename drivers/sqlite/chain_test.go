package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
)

// chained saves the next version of a thread with a digest, a patch where base is not
// 0, against the version that was saved before.
func chained(ctx context.Context, b driver.Backend, thread string, version, base int64, keep int) error {
	req := driver.PatchRequest{SaveRequest: request(thread, fmt.Sprintf(`{"version": %d}`, version)), Base: base}
	req.ID, req.Digest, req.Keep = fmt.Sprint("id-", version), fmt.Sprint("digest-", version), keep
	if base == 0 {
		_, err := b.Save(ctx, req.SaveRequest)
		return err
	}
	req.Encoding = "json+patch"
	req.Previous = driver.Previous{ID: fmt.Sprint("id-", version-1), Digest: fmt.Sprint("digest-", version-1)}
	_, err := b.(driver.Patcher).SavePatch(ctx, req)
	return err
}

// chainRows are the versions that the table of chains holds.
func chainRows(t testing.TB, db *sql.DB) string {
	t.Helper()
	rows, err := db.Query("SELECT version FROM agent_checkpoints_chains ORDER BY namespace, thread_id, version")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(column(t, rows), "\n", " ")
}

// TestChainRows: what a save leaves in the table of chains is what a visible version
// needs, and no payload is in a row that says it is there.
func TestChainRows(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.db")
	b := open(t, file+"?synchronous=normal")
	ctx := t.Context()
	step := 0
	plain := func(keep int) func() error {
		return func() error {
			req := request("t", "{}")
			req.Keep = keep
			_, err := b.Save(ctx, req)
			return err
		}
	}
	save := func(version, base int64, keep int) func() error {
		return func() error { return chained(ctx, b, "t", version, base, keep) }
	}
	remove := func() error { return b.Delete(ctx, driver.DeleteRequest{Key: key("t")}) }
	imported := func(version int64) func() error {
		return func() error {
			cp := driver.Checkpoint{Info: driver.Info{Key: key("t"), ID: fmt.Sprint("import", version), Version: version, Encoding: "json", CreatedAt: now, SavedAt: now}, Payload: []byte("{}")}
			return b.(driver.Importer).Import(ctx, driver.ImportRequest{Checkpoint: cp, Now: now, Keep: 2})
		}
	}
	for _, tt := range []struct {
		do   func() error
		want string
	}{
		{save(1, 0, 1), "1"},
		{save(2, 0, 1), "2"}, // over the one before
		{save(3, 2, 1), "2 3"},
		{save(4, 2, 1), "2 3 4"},
		{save(5, 0, 2), "2 3 4 5"},
		{save(6, 0, 2), "5 6"},
		{save(7, 6, 2), "6 7"},
		{plain(2), "6 7"},
		{plain(2), ""},
		{save(10, 0, 3), "10"},
		{save(11, 10, 3), "10 11"},
		{plain(1), ""},
		{save(13, 0, 2), "13"},
		{save(14, 13, 2), "13 14"},
		{imported(15), "13 14"},
		{imported(20), ""}, // across a gap
		{save(21, 0, 2), "21"},
		{save(22, 21, 2), "21 22"},
		{remove, ""},
		{save(1, 0, 9), "1"},
		{save(2, 1, 9), "1 2"},
	} {
		step++
		if err := tt.do(); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		db := given(t, "file:"+file, 1)
		if got := chainRows(t, db); got != tt.want {
			t.Errorf("step %d: the chain has versions %s, want %s", step, got, tt.want)
		}
		rows, err := db.Query("SELECT version FROM agent_checkpoints WHERE (typeof(state) = 'integer') <> EXISTS (SELECT 1 FROM agent_checkpoints_chains c WHERE c.id = agent_checkpoints.id)")
		if err != nil {
			t.Fatal(err)
		}
		if got := column(t, rows); got != "" {
			t.Errorf("step %d: version %s has its payload in both places, or in none", step, got)
		}
		db.Close()
	}
	// A life that has expired leaves nothing to the next.
	req := request("t", "{}")
	req.ExpiresAt, req.Keep = now, 9
	if _, err := b.Save(ctx, req); err != nil {
		t.Fatal(err)
	}
	if err := chained(ctx, b, "t", 1, 0, 9); err != nil {
		t.Fatal(err)
	}
	if got := chainRows(t, given(t, "file:"+file, 1)); got != "1" {
		t.Errorf("after an expiry the chain has versions %s, want 1", got)
	}
	checkIntegrity(t, file)
}

// TestChainBesideOlderPrograms has statements of the first release run on a thread that
// was saved incrementally.
func TestChainBesideOlderPrograms(t *testing.T) {
	t.Parallel()
	const (
		load      = "SELECT CAST(state AS BLOB) FROM agent_checkpoints WHERE thread_id = 't' AND latest = 1"
		replace   = "UPDATE agent_checkpoints SET version = version + 1, id = 'old', encoding = 'json', size = 2, state = '{}' WHERE thread_id = 't' AND latest = 1"
		supersede = "UPDATE agent_checkpoints SET latest = 0 WHERE thread_id = 't' AND latest = 1"
		insert    = `INSERT INTO agent_checkpoints (latest, version, id, encoding, size, created_at, saved_at, state, namespace, thread_id)
			VALUES (1, 4, 'old', 'json', 2, 1, 1, '{}', 'agents', 't')`
		trim   = "DELETE FROM agent_checkpoints WHERE thread_id = 't' AND latest = 0 AND version < 3"
		forget = "DELETE FROM agent_checkpoints WHERE thread_id = 't' AND latest = 0"
		delete = "DELETE FROM agent_checkpoints WHERE thread_id = 't' AND latest = 1"
	)
	ctx := t.Context()
	for _, tt := range []struct {
		name       string
		statements []string
		version    int64 // of the latest one afterwards
		base       int64
		rows       string // then, and after the save of a chain's beginning
		after      string
	}{
		{"load", nil, 3, 1, "1 2 3", "1 2 3 4"},
		{"save over it", []string{forget, replace}, 4, 0, "1 2 3", "5"},
		{"save with history", []string{supersede, insert, trim}, 4, 0, "1 2 3", "1 2 3 5"},
		{"delete", []string{forget, delete}, 0, 0, "", "1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "agents.db")
			b := open(t, file+"?synchronous=normal")
			for v, base := range []int64{0, 1, 1} {
				if err := chained(ctx, b, "t", int64(v+1), base, 2); err != nil {
					t.Fatal(err)
				}
			}
			db := given(t, "file:"+file+"?_pragma=busy_timeout(5000)", 1)
			var state []byte
			if err := db.QueryRow(load).Scan(&state); err != nil || len(state) == len(`{"version": 3}`) {
				t.Errorf("an older program reads a state of the right length, %d bytes, %v", len(state), err)
			}
			for _, s := range tt.statements {
				if _, err := db.Exec(s); err != nil {
					t.Fatal(err)
				}
			}
			cp, err := b.Load(ctx, driver.LoadRequest{Key: key("t"), Now: now})
			if cp.Version != tt.version || cp.Base != tt.base || tt.version == 0 != errors.Is(err, driver.ErrNotFound) {
				t.Errorf("Load = version %d with base %d, %v; want version %d with base %d", cp.Version, cp.Base, err, tt.version, tt.base)
			}
			if got := chainRows(t, db); got != tt.rows {
				t.Errorf("the chain has versions %s, want %s", got, tt.rows)
			}
			if tt.version == 4 {
				if err := chained(ctx, b, "t", 4, 1, 2); !errors.Is(err, driver.ErrBase) {
					t.Errorf("SavePatch against what is no longer there: %v, want ErrBase", err)
				}
				kept, err := b.Load(ctx, driver.LoadRequest{Key: key("t"), Version: 3, Now: now})
				if tt.rows == "1 2 3" && tt.after != "5" && (err != nil || len(kept.Links) != 2) {
					t.Errorf("Load of the version before = %d links, %v; want 2", len(kept.Links), err)
				}
			}
			if err := chained(ctx, b, "t", tt.version+1, 0, 3); err != nil {
				t.Fatal(err)
			}
			if got := chainRows(t, db); got != tt.after {
				t.Errorf("after the next save the chain has versions %s, want %s", got, tt.after)
			}
		})
	}
}

// TestChainDamaged takes rows of a chain away: what is missing is left out, and a
// version without its payload is ErrCorrupt.
func TestChainDamaged(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	file := filepath.Join(t.TempDir(), "agents.db")
	b := open(t, file+"?synchronous=normal")
	for v, base := range []int64{0, 1, 1} {
		if err := chained(ctx, b, "t", int64(v+1), base, 2); err != nil {
			t.Fatal(err)
		}
	}
	db := given(t, "file:"+file+"?_pragma=busy_timeout(5000)", 1)
	read := func() (int, error) {
		cp, err := b.Load(ctx, driver.LoadRequest{Key: key("t"), Now: now})
		return len(cp.Links), err
	}
	for _, tt := range []struct {
		statement string
		links     int
		err       error
	}{
		{"DELETE FROM agent_checkpoints_chains WHERE version = 1", 1, nil},
		{"DELETE FROM agent_checkpoints_chains WHERE version = 2", 0, nil},
		{"UPDATE agent_checkpoints_chains SET payload = x'00'", 0, driver.ErrCorrupt},
		{"DELETE FROM agent_checkpoints_chains", 0, driver.ErrCorrupt},
	} {
		if _, err := db.Exec(tt.statement); err != nil {
			t.Fatal(err)
		}
		if links, err := read(); links != tt.links || !errors.Is(err, tt.err) {
			t.Errorf("after %s: Load = %d links, %v; want %d, %v", tt.statement, links, err, tt.links, tt.err)
		}
	}
	n := 0
	for cp, err := range b.(driver.VersionReader).Versions(ctx, driver.VersionsRequest{Key: key("t"), Now: now}) {
		if n++; !errors.Is(err, driver.ErrCorrupt) || cp.Version == 0 {
			t.Errorf("Versions yielded version %d, %v; want ErrCorrupt", cp.Version, err)
		}
	}
	if n != 2 {
		t.Errorf("Versions yielded %d versions, want 2", n)
	}
}
