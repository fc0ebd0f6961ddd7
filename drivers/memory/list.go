package memory

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
)

// batch is how many threads are visited under the lock at a time.
const batch = 256

// list collects a batch under the lock and yields it without, so that the loop's
// body may do what it likes.
func (b *backend) list(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		from := max(req.Prefix, req.After+"\x00") // the least string after After, and no less than Prefix
		yielded := 0
		for {
			s, err := b.begin(ctx)
			if err != nil {
				yield(driver.Info{}, err)
				return
			}
			infos, next, more := s.listBatch(req, from)
			for _, info := range infos {
				if !yield(info, nil) {
					return
				}
				yielded++
				if yielded == req.Limit {
					return
				}
			}
			if !more {
				return
			}
			from = next
		}
	}
}

// listBatch returns the live ones among the first threads that have the prefix
// and names not less than from, and where to go on if there are more.
func (s *store) listBatch(req driver.ListRequest, from string) (infos []driver.Info, next string, more bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ns := s.namespaces[req.Namespace]
	if ns == nil {
		return nil, "", false
	}
	seen := 0
	for name := range ns.names.from(from) {
		if !strings.HasPrefix(name, req.Prefix) {
			break
		}
		if seen == batch || req.Limit > 0 && len(infos) == req.Limit {
			return infos, name, true
		}
		seen++
		if c := ns.threads[name].latest(); !c.Expired(req.Now) {
			infos = append(infos, cloneInfo(c.Info))
		}
	}
	return infos, "", false
}

func (b *backend) history(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		s, err := b.begin(ctx)
		if err != nil {
			yield(driver.Info{}, err)
			return
		}
		for _, c := range s.kept(req) {
			if !yield(cloneInfo(c.Info), nil) {
				return
			}
		}
	}
}

// kept returns the kept versions that req asks for, newest first: a
// snapshot, so that saves meanwhile cannot tear it.
func (s *store) kept(req driver.HistoryRequest) []*driver.Checkpoint {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.live(req.Key, req.Now)
	if t == nil {
		return nil
	}
	versions := t.versions
	if req.Before > 0 {
		kept := max(0, req.Before-versions[0].Version)
		versions = versions[:min(int64(len(versions)), kept)]
	}
	if req.Limit > 0 && len(versions) > req.Limit {
		versions = versions[len(versions)-req.Limit:]
	}
	versions = slices.Clone(versions)
	slices.Reverse(versions)
	return versions
}

func (b *backend) namespaces(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		s, err := b.begin(ctx)
		if err != nil {
			yield("", err)
			return
		}
		for _, name := range s.namespaceNames() {
			if !yield(name, nil) {
				return
			}
		}
	}
}

func (s *store) namespaceNames() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.namespaces))
}
