package sqlite

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/go-ckpt/checkpoint"
)

// TestRowsContradict: somebody has taken the mark of the latest version away. A
// save that would number its version as one that is there is ErrCorrupt, and not
// a failure that might pass.
func TestRowsContradict(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "agents.db")
	store, err := checkpoint.Open("sqlite", path+"?history=3")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for n := range 2 {
		if _, err := store.Save(t.Context(), "thread", n); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", path)
	if err == nil {
		_, err = db.ExecContext(t.Context(), "UPDATE agent_checkpoints SET latest = 0")
		defer db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; err == nil && n < 3; n++ { // it counts from 1 again
		_, err = store.Save(t.Context(), "thread", n)
	}
	if !errors.Is(err, checkpoint.ErrCorrupt) {
		t.Errorf("Save = %v, want ErrCorrupt", err)
	}
	if err := store.Delete(t.Context(), "thread"); err != nil {
		t.Fatal(err)
	}
	if info, err := store.Save(t.Context(), "thread", 3); err != nil || info.Version != 1 {
		t.Errorf("Save after Delete = version %d, %v, want version 1", info.Version, err)
	}
}
