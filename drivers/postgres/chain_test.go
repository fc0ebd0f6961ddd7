package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// chained saves the next version of a thread with a digest, a patch where base is not
// 0, against the version that was saved before.
func chained(ctx context.Context, b driver.Backend, thread string, version, base int64, keep int) error {
	req := driver.PatchRequest{SaveRequest: save(thread, fmt.Sprintf(`{"version": %d}`, version)), Base: base}
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
func chainRows(t *testing.T, db *sql.DB) string {
	t.Helper()
	return selectText(t, db, "SELECT string_agg(version::text, ' ' ORDER BY namespace, thread_id, version) FROM agent_checkpoints_chains")
}

// TestChainRows: what a save leaves in the table of chains is what a visible version
// needs, and no payload is in a row that says it is there.
func TestChainRows(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	b, db := openReady(t, dsn), plain(t, dsn)
	ctx := t.Context()
	unlinked := func(keep int) func() error {
		return func() error {
			req := save("t", "{}")
			req.Keep = keep
			_, err := b.Save(ctx, req)
			return err
		}
	}
	link := func(version, base int64, keep int) func() error {
		return func() error { return chained(ctx, b, "t", version, base, keep) }
	}
	imported := func(version int64) func() error {
		return func() error {
			now := time.Now().UTC().Truncate(time.Microsecond)
			cp := driver.Checkpoint{Info: driver.Info{Key: key("t"), ID: fmt.Sprint("import", version), Version: version, Encoding: "json", CreatedAt: now, SavedAt: now}, Payload: []byte("{}")}
			return b.Import(ctx, driver.ImportRequest{Checkpoint: cp, Now: now, Keep: 2})
		}
	}
	remove := func() error { return b.Delete(ctx, driver.DeleteRequest{Key: key("t")}) }
	expire := func() error {
		req := save("t", "{}")
		req.ExpiresAt, req.Keep = req.Now, 9
		_, err := b.Save(ctx, req)
		return err
	}
	for i, tt := range []struct {
		do   func() error
		want string
	}{
		{link(1, 0, 1), "1"},
		{link(2, 0, 1), "2"},
		{link(3, 2, 1), "2 3"},
		{link(4, 2, 1), "2 3 4"},
		{link(5, 0, 2), "2 3 4 5"},
		{link(6, 0, 2), "5 6"},
		{link(7, 6, 2), "6 7"},
		{unlinked(2), "6 7"},
		{unlinked(2), ""},
		{link(10, 0, 3), "10"},
		{link(11, 10, 3), "10 11"},
		{unlinked(1), ""},
		{link(13, 0, 1), "13"},
		{unlinked(1), ""}, // the plain save, which sees a row without a history
		{link(15, 0, 2), "15"},
		{link(16, 15, 2), "15 16"},
		{imported(17), "15 16"},
		{imported(20), ""}, // across a gap
		{link(21, 0, 2), "21"},
		{link(22, 21, 2), "21 22"},
		{remove, ""},
		{link(1, 0, 9), "1"},
		{link(2, 1, 9), "1 2"},
		{expire, "1 2"},
		{link(1, 0, 9), "1"}, // another life
	} {
		if err := tt.do(); err != nil {
			t.Fatalf("step %d: %v", i+1, err)
		}
		if got := chainRows(t, db); got != tt.want {
			t.Errorf("step %d: the chain has versions %s, want %s", i+1, got, tt.want)
		}
		if got := selectText(t, db, `SELECT string_agg(r.version::text, ' ') FROM (
				SELECT version, id, state, payload FROM agent_checkpoints UNION ALL SELECT version, id, state, payload FROM agent_checkpoints_history) r
			WHERE (octet_length(r.payload) = 0) IS TRUE <> EXISTS (SELECT FROM agent_checkpoints_chains c WHERE c.version = r.version AND c.id = r.id)`); got != "" {
			t.Errorf("step %d: versions %s have their payload in both places, or in none", i+1, got)
		}
	}
}

// TestChainBesideOlderPrograms has statements of the first release, and what its function
// does, run on a thread that was saved incrementally.
func TestChainBesideOlderPrograms(t *testing.T) {
	t.Parallel()
	const (
		replace = `UPDATE agent_checkpoints SET version = version + 1, oldest = version + 1, id = 'old', state = '{}', payload = NULL, size = 2, encoding = 'json'`
		move    = `INSERT INTO agent_checkpoints_history (namespace, thread_id, version, id, state, payload, size, encoding, metadata, created_at, updated_at, expires_at)
			SELECT namespace, thread_id, version, id, state, payload, size, encoding, metadata, created_at, updated_at, expires_at FROM agent_checkpoints`
		follow = `UPDATE agent_checkpoints SET version = version + 1, oldest = 3, id = 'old', state = '{}', payload = NULL, size = 2, encoding = 'json'`
		trim   = `DELETE FROM agent_checkpoints_history WHERE version < 3`
		forget = `DELETE FROM agent_checkpoints_history`
	)
	for _, tt := range []struct {
		name       string
		statements []string
		version    int64 // of the latest one afterwards
		base       int64
		rows       string // then, and after the save of a chain's beginning
		after      string
	}{
		{"load", nil, 3, 1, "1 2 3", "1 2 3 4"},
		{"save over it", []string{forget, replace}, 4, 0, "1 2 3", "1 2 3 5"},
		{"save with history", []string{move, follow, trim}, 4, 0, "1 2 3", "1 2 3 5"},
		{"delete", []string{`DELETE FROM agent_checkpoints`}, 0, 0, "", "1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dsn := testserver.Postgres(t)
			b, db := openReady(t, dsn), plain(t, dsn)
			for v, base := range []int64{0, 1, 1} {
				if err := chained(t.Context(), b, "t", int64(v+1), base, 2); err != nil {
					t.Fatal(err)
				}
			}
			if got := selectText(t, db, "SELECT payload IS NOT NULL AND octet_length(payload) <> size FROM agent_checkpoints"); got != "true" {
				t.Error("an older program finds a payload of the right length")
			}
			mustExec(t, db, tt.statements...)
			cp, err := load(t.Context(), b, "t")
			if cp.Version != tt.version || cp.Base != tt.base || tt.version == 0 != errors.Is(err, driver.ErrNotFound) {
				t.Errorf("Load = version %d with base %d, %v; want version %d with base %d", cp.Version, cp.Base, err, tt.version, tt.base)
			}
			if got := chainRows(t, db); got != tt.rows {
				t.Errorf("the chain has versions %s, want %s", got, tt.rows)
			}
			if tt.version == 4 {
				if err := chained(t.Context(), b, "t", 4, 1, 2); !errors.Is(err, driver.ErrBase) {
					t.Errorf("SavePatch against what is no longer there: %v, want ErrBase", err)
				}
			}
			if tt.after == "1 2 3 5" && len(tt.statements) == 3 {
				kept, err := b.Load(t.Context(), driver.LoadRequest{Key: key("t"), Version: 3, Now: time.Now()})
				if err != nil || len(kept.Links) != 2 {
					t.Errorf("Load of the version before = %d links, %v; want 2", len(kept.Links), err)
				}
			}
			if err := chained(t.Context(), b, "t", tt.version+1, 0, 3); err != nil {
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
	dsn := testserver.Postgres(t)
	b, db := openReady(t, dsn), plain(t, dsn)
	for v, base := range []int64{0, 1, 1} {
		if err := chained(t.Context(), b, "t", int64(v+1), base, 2); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		statement string
		links     int
		err       error
	}{
		{"DELETE FROM agent_checkpoints_chains WHERE version = 1", 1, nil},
		{"DELETE FROM agent_checkpoints_chains WHERE version = 2", 0, nil},
		{"UPDATE agent_checkpoints_chains SET payload = '\\x00'", 0, driver.ErrCorrupt},
		{"UPDATE agent_checkpoints_chains SET id = 'another'", 0, driver.ErrCorrupt},
		{"DELETE FROM agent_checkpoints_chains", 0, driver.ErrCorrupt},
		// What says that the row is a patch, and of which base.
		{"UPDATE agent_checkpoints SET state = '9223372036854775808'", 0, driver.ErrCorrupt},
		{"UPDATE agent_checkpoints SET state = '-1'", 0, driver.ErrCorrupt},
		{"UPDATE agent_checkpoints SET state = '1e1000'", 0, driver.ErrCorrupt},
		{"UPDATE agent_checkpoints SET state = 'true'", 0, driver.ErrCorrupt},
	} {
		mustExec(t, db, tt.statement)
		if cp, err := load(t.Context(), b, "t"); len(cp.Links) != tt.links || !errors.Is(err, tt.err) {
			t.Errorf("after %s: Load = %d links, %v; want %d, %v", tt.statement, len(cp.Links), err, tt.links, tt.err)
		}
	}
	n := 0
	for cp, err := range b.Versions(t.Context(), driver.VersionsRequest{Key: key("t"), Now: time.Now()}) {
		if n++; !errors.Is(err, driver.ErrCorrupt) || cp.Version == 0 {
			t.Errorf("Versions yielded version %d, %v; want ErrCorrupt", cp.Version, err)
		}
	}
	if n != 2 {
		t.Errorf("Versions yielded %d versions, want 2", n)
	}
}

// TestChainGrants: a table of chains that comes later is for the accounts that may use
// the history.
func TestChainGrants(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	owner := plain(t, dsn)
	app, appDSN := account(t, dsn, owner)
	mustExec(t, owner, Schema(Config{}), "DROP TABLE agent_checkpoints_chains",
		`GRANT SELECT, INSERT, UPDATE, DELETE ON agent_checkpoints, agent_checkpoints_history TO `+app)
	openReady(t, dsn)
	b := openReady(t, appDSN)
	for v, base := range []int64{0, 1, 1} {
		if err := chained(t.Context(), b, "t", int64(v+1), base, 1); err != nil {
			t.Fatal(err)
		}
	}
	if cp, err := load(t.Context(), b, "t"); err != nil || len(cp.Links) != 2 {
		t.Errorf("Load = %d links, %v; want 2", len(cp.Links), err)
	}
}
