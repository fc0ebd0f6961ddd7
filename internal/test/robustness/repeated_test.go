package robustness

import (
	"errors"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
)

// TestDeleteSparesTheNextLife: the reply to a Delete is lost, the thread is made
// anew, and then the client repeats what got no reply. It must not reach the new
// thread. DynamoDB's once did, which TestLinearizable found.
func TestDeleteSparesTheNextLife(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *deployment) {
		if d.proxy == nil {
			t.Skip("no network between the client and the database")
		}
		for _, versions := range []int{1, keep} {
			d.deleteSparesTheNextLife(t, versions)
		}
	})
}

func (d *deployment) deleteSparesTheNextLife(t *testing.T, versions int) {
	ctx := t.Context()
	past := deployment{driver: d.driver, dsn: d.direct}
	other := checkpoint.New(past.handle(t), checkpoint.WithHistory(versions))
	store := checkpoint.New(d.handle(t), checkpoint.WithHistory(versions))
	for v := range versions {
		if _, err := store.Save(ctx, "thread", v); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Delete(ctx, "another"); err != nil { // has what it takes prepared
		t.Fatal(err)
	}
	deleted := make(chan error)
	d.proxy.HoldReplies(true)
	go func() { deleted <- store.Delete(ctx, "thread") }()

	// Wait until it has been carried out. A thread in several items takes several
	// requests, of which this holds the first: then another deletes it, and the
	// Delete under way may only find out.
	carriedOut := false
	for range 50 {
		_, err := other.Stat(ctx, "thread")
		if carriedOut = errors.Is(err, checkpoint.ErrNotFound); carriedOut {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if !carriedOut {
		if err := other.Delete(ctx, "thread"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := other.Save(ctx, "thread", "next life"); err != nil {
		t.Fatal(err)
	}
	d.proxy.Cut()
	d.proxy.Heal()
	err := <-deleted
	// One that had not been carried out is concurrent with the save.
	if _, lost := other.Stat(ctx, "thread"); lost != nil && carriedOut {
		t.Errorf("after %d versions: Delete = %v, and the thread that was made after it is gone: %v", versions, err, lost)
	}
	if err := other.Delete(ctx, "thread"); err != nil {
		t.Fatal(err)
	}
}
