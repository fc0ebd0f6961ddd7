package main

import (
	"testing"

	"github.com/go-ckpt/checkpoint"
)

// TestPools: the drivers that keep connections tell of them, before the first operation,
// after it and when they are closed.
func TestPools(t *testing.T) {
	t.Parallel()
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, err := checkpoint.OpenURL(open(t))
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			pool := store.Stats().Pool
			if name == "dynamodb" {
				if pool != nil {
					t.Errorf("the pool is %+v, want none: the SDK does not tell", pool)
				}
				return
			}
			if pool == nil || pool.Open != 0 || pool.InUse != 0 {
				t.Fatalf("before the first operation the pool is %+v, want an empty one", pool)
			}
			if _, err := store.Save(t.Context(), "t", 1); err != nil {
				t.Fatal(err)
			}
			if pool = store.Stats().Pool; pool.Open < 1 || pool.InUse > pool.Open || pool.Max > 0 && pool.Open > pool.Max {
				t.Errorf("after a save the pool is %+v", pool)
			}
			store.Close()
			store.Stats()
		})
	}
}
