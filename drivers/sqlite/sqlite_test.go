package sqlite

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

func TestSmoke(t *testing.T) {
	for _, dsn := range []string{":memory:", filepath.Join(t.TempDir(), "a.db")} {
		b, err := Driver{}.Open(dsn)
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		now := time.Now().UTC().Truncate(time.Microsecond)
		for i := range 30 {
			info, err := b.Save(ctx, driver.SaveRequest{Key: driver.Key{Namespace: "n", Thread: "t"}, ID: fmt.Sprint("id", i), Payload: []byte(`{"a":1}`), Encoding: "json", Now: now, Keep: 5})
			if err != nil {
				t.Fatal(err)
			}
			if info.Version != int64(i+1) {
				t.Fatal(info)
			}
		}
		for info, err := range b.History(ctx, driver.HistoryRequest{Key: driver.Key{Namespace: "n", Thread: "t"}, Now: now}) {
			t.Log(info, err)
		}
		c, err := b.Load(ctx, driver.LoadRequest{Key: driver.Key{Namespace: "n", Thread: "t"}, Now: now})
		t.Logf("%v %v %s", c, err, c.Payload)
		c, err = b.Load(ctx, driver.LoadRequest{Key: driver.Key{Namespace: "n", Thread: "t"}, Now: now, Version: 27})
		t.Logf("%v %v %s", c, err, c.Payload)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for k := range 20 {
					_, err := b.Save(ctx, driver.SaveRequest{Key: driver.Key{Namespace: "n", Thread: fmt.Sprint("t", i)}, ID: fmt.Sprint("id", k), Payload: []byte(`{"a":1}`), Encoding: "json", Now: now, Keep: 1})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		for info, err := range b.List(ctx, driver.ListRequest{Namespace: "n", Prefix: "t", After: "t3", Now: now}) {
			t.Log(info, err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = b.Load(ctx, driver.LoadRequest{})
		t.Log(err)
	}
}
