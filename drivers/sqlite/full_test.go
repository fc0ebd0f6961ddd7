package sqlite_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// TestFull lets the database grow to a bound that SQLite treats as a full disk.
func TestFull(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.db")
	db := given(t, "file:"+file+"?_txlock=immediate&_pragma=journal_mode(wal)&_pragma=max_page_count(100)", 1)
	b := newGiven(t, db)
	state := `"` + strings.Repeat("x", 10_000) + `"`
	saved := 0
	var err error
	for err == nil {
		if _, err = b.Save(t.Context(), request(fmt.Sprint("thread-", saved), state)); err == nil {
			saved++
		}
	}
	const want = "database unavailable: no space is left for the database: free some and save again; what was saved before is intact (database or disk is full (13))"
	if err.Error() != want || !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Save: %v, want %s", err, want)
	}
	if saved == 0 {
		t.Fatal("nothing could be saved")
	}
	for i := range saved {
		if got := load(t, b, fmt.Sprint("thread-", i)); got != state {
			t.Errorf("thread %d holds %d bytes, want %d", i, len(got), len(state))
		}
	}
	if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key("thread-0")}); err != nil {
		t.Errorf("Delete: %v", err)
	}
	save(t, b, request("another", state)) // in its place
	if _, err := db.Exec(`PRAGMA max_page_count = 10000`); err != nil {
		t.Fatal(err)
	}
	for i := range saved {
		save(t, b, request(fmt.Sprint("further-", i), state))
	}
}

// TestTooLarge saves a state that is larger than SQLite's limit, which is made
// small for that.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	db := given(t, ":memory:", 1)
	b := newGiven(t, db)
	save(t, b, request("t", "{}"))
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Limit(conn, codes.SQLITE_LIMIT_LENGTH, 100_000); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	_, err = b.Save(t.Context(), request("t", `"`+strings.Repeat("x", 100_000)+`"`))
	if want := "state too large: SQLite holds at most 1 GB in a row (string or blob too big (18))"; fmt.Sprint(err) != want || !errors.Is(err, driver.ErrTooLarge) {
		t.Errorf("Save: %v, want %s", err, want)
	}
	if got := load(t, b, "t"); got != "{}" {
		t.Errorf("the earlier state is %s, want {}", got)
	}
}
