package ui

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/sqlite"
)

var threads = flag.Int("threads", 10_000, "threads of the store that BenchmarkThreads pages through")

// BenchmarkThreads compares a page of threads in the middle of a large store with what
// the store takes for it.
func BenchmarkThreads(b *testing.B) {
	store, err := checkpoint.Open("sqlite", filepath.Join(b.TempDir(), "store.db")+"?synchronous=normal")
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	const savers = 64
	var saving sync.WaitGroup
	for saver := range savers {
		saving.Go(func() {
			for i := saver; i < *threads; i += savers {
				if _, err := store.Save(b.Context(), fmt.Sprintf("user-%08d", i), i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	if saving.Wait(); b.Failed() {
		return
	}
	middle := fmt.Sprintf("user-%08d", *threads/2)
	b.Run("store", func(b *testing.B) {
		for b.Loop() {
			for _, err := range store.List(b.Context(), checkpoint.ListOptions{After: middle, Limit: pageLength}) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("page", func(b *testing.B) {
		s := open(b, store, Options{})
		b.ResetTimer()
		for b.Loop() {
			res, err := s.Client().Do(s.request("GET", "/?after="+middle, nil))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != 200 {
				b.Fatal(res.Status, err)
			}
			res.Body.Close()
		}
	})
	b.Run("handler", func(b *testing.B) {
		s := open(b, store, Options{})
		r := s.request("GET", "/?after="+middle, nil)
		r.Host = s.Listener.Addr().String()
		for b.Loop() {
			w := httptest.NewRecorder()
			s.Config.Handler.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				b.Fatal(w.Code)
			}
		}
	})
}
