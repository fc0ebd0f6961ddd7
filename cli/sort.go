package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/go-ckpt/checkpoint"
)

// A selection is which threads list shows, and in which order.
type selection struct {
	checkpoint.ListOptions
	sort    string // name, updated or size
	reverse bool
	where   []string // KEY=VALUE of metadata; all of them
}

func (s *selection) check() error {
	if s.Limit < 0 {
		return usagef("--limit is negative; 0 is all")
	}
	if !slices.Contains([]string{"name", "updated", "size"}, s.sort) {
		return usagef("--sort %q: want name, updated or size", s.sort)
	}
	_, err := parsePairs("--where", s.where)
	return err
}

// readsAll reports whether all threads are read to show some: the store's order is
// that of the names, and it has no index for the others and for metadata.
func (s *selection) readsAll() bool {
	return s.sort != "name" || s.reverse || len(s.where) > 0
}

// infos yields the threads of a view. What is sorted is held in memory, without the
// states.
func (s *selection) infos(ctx context.Context, view *checkpoint.Store, yield func(checkpoint.Info) error) error {
	where, _ := parsePairs("--where", s.where)
	opts := s.ListOptions
	if s.readsAll() {
		opts.Limit = 0
	}
	var held []checkpoint.Info
	sorted := s.sort != "name" || s.reverse
	n := 0
	for info, err := range view.List(ctx, opts) {
		switch {
		case err != nil:
			return err
		case !hasMetadata(info, where):
		case sorted:
			held = append(held, info)
		default:
			if err := yield(info); err != nil {
				return err
			}
			if n++; s.Limit > 0 && n == s.Limit {
				return nil
			}
		}
	}
	slices.SortStableFunc(held, s.compare)
	if s.Limit > 0 {
		held = held[:min(s.Limit, len(held))]
	}
	for _, info := range held {
		if err := yield(info); err != nil {
			return err
		}
	}
	return nil
}

// compare puts what was saved last, or is largest, first.
func (s *selection) compare(a, b checkpoint.Info) int {
	order := 0
	switch s.sort {
	case "updated":
		order = b.SavedAt.Compare(a.SavedAt)
	case "size":
		order = cmp.Compare(b.Size, a.Size)
	}
	if order == 0 {
		order = strings.Compare(a.Thread, b.Thread)
	}
	if s.reverse {
		return -order
	}
	return order
}

func hasMetadata(info checkpoint.Info, want map[string]string) bool {
	for k, v := range want {
		if got, ok := info.Metadata[k]; !ok || got != v {
			return false
		}
	}
	return true
}
