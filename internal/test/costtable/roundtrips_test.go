package costtable_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/test/costtable"
)

// A state of about 100 KB that JSON columns take as well.
var large = strings.Repeat("an agent said this before. ", 100<<10/27)

// operations is what each row of the table does. before runs before counting.
type operation struct {
	before func(s *checkpoint.Store) error
	run    func(s *checkpoint.Store) error
}

func TestRoundTrips(t *testing.T) {
	for _, name := range []string{"Redis", "PostgreSQL", "DynamoDB"} {
		t.Run(name, func(t *testing.T) {
			server, proxy := behind(t, name)
			store, kept := openStore(t, server), openStore(t, server, checkpoint.WithHistory(20))
			for _, row := range costtable.Table(t, "Round trips") {
				op := row.Operation
				run, ok := rows(t.Context())[op]
				if !ok {
					t.Errorf("the table has a row %q that nothing here does", op)
					continue
				}
				want, err := strconv.ParseInt(row.Cells[name], 10, 64)
				if err != nil {
					t.Fatalf("%s: %v", op, err)
				}
				s := store
				if strings.Contains(op, "history") || op == "load version" || op == "restore" || op == "fork" {
					s = kept
				}
				// The first time opens the connection, the second prepares statements.
				var got int64
				for range 3 {
					if run.before != nil {
						if err := run.before(s); err != nil {
							t.Fatalf("before %s: %v", op, err)
						}
					}
					start := proxy.Counts()
					if err := run.run(s); err != nil {
						t.Fatalf("%s: %v", op, err)
					}
					got = proxy.Counts().Sub(start).RoundTrips
				}
				// Redis answers the first command of a pipeline while the rest of a
				// large one is still on its way, and HTTP has "100 Continue": the
				// proxy counts two.
				early := name != "PostgreSQL" && strings.HasSuffix(op, "of 100 KB")
				if got != want && !(early && got <= want+1) {
					t.Errorf("%s: %d round trips, want %d", op, got, want)
				}
			}
		})
	}
}

// TestFirstOperations counts what a fresh handle needs, with the opening of its
// connection, on a database that others have used.
func TestFirstOperations(t *testing.T) {
	for _, name := range []string{"Redis", "PostgreSQL"} {
		t.Run(name, func(t *testing.T) {
			server, proxy := behind(t, name)
			if _, err := openStore(t, server).Save(t.Context(), "thread", 1); err != nil {
				t.Fatal(err)
			}
			for _, row := range costtable.Table(t, "First operations") {
				s := openStore(t, server)
				before := proxy.Counts()
				var err error
				switch row.Operation {
				case "ping":
					err = s.Ping(t.Context())
				case "save":
					_, err = s.Save(t.Context(), "thread", 1)
				case "load":
					_, err = s.Load(t.Context(), "thread", new(any))
				default:
					t.Errorf("the table has a row %q that nothing here does", row.Operation)
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := strconv.FormatInt(proxy.Counts().Sub(before).RoundTrips, 10); got != row.Cells[name] {
					t.Errorf("%s: %s round trips, want %s", row.Operation, got, row.Cells[name])
				}
			}
		})
	}
}

func rows(ctx context.Context) map[string]operation {
	save := func(thread string, state any, opts ...checkpoint.SaveOption) func(*checkpoint.Store) error {
		return func(s *checkpoint.Store) error {
			_, err := s.Save(ctx, thread, state, opts...)
			return err
		}
	}
	load := func(thread string) func(*checkpoint.Store) error {
		return func(s *checkpoint.Store) error {
			_, err := s.Load(ctx, thread, new(any))
			return err
		}
	}
	remove := func(thread string) func(*checkpoint.Store) error {
		return func(s *checkpoint.Store) error { return s.Delete(ctx, thread) }
	}
	drain := func(threads int) func(*checkpoint.Store) error {
		return func(s *checkpoint.Store) error {
			for _, err := range s.List(ctx, checkpoint.ListOptions{Limit: threads}) {
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
	var latest checkpoint.Info
	return map[string]operation{
		"save, new thread": {remove("new"), save("new", 1)},
		"save":             {nil, save("thread", 1)},
		"save of 100 KB":   {nil, save("large", large)},
		"save, history 20": {func(s *checkpoint.Store) error {
			// The second save begins the history.
			return errors.Join(save("history", 1)(s), save("history", 1)(s))
		}, save("history", 1)},
		"save if match": {func(s *checkpoint.Store) (err error) {
			latest, err = s.Save(ctx, "match", 1)
			return err
		}, func(s *checkpoint.Store) error {
			_, err := s.Save(ctx, "match", 2, checkpoint.IfMatch(latest.ID))
			return err
		}},
		"save if match, conflict": {save("match", 1), func(s *checkpoint.Store) error {
			if _, err := s.Save(ctx, "match", 2, checkpoint.IfMatch("none")); err == nil {
				return context.Canceled
			}
			return nil
		}},
		"save if absent": {remove("absent"), save("absent", 1, checkpoint.IfAbsent())},
		"save if version": {func(s *checkpoint.Store) (err error) {
			latest, err = s.Save(ctx, "match", 1)
			return err
		}, func(s *checkpoint.Store) error {
			_, err := s.Save(ctx, "match", 2, checkpoint.IfVersion(latest.Version))
			return err
		}},
		"delete if match": {func(s *checkpoint.Store) (err error) {
			latest, err = s.Save(ctx, "match", 1)
			return err
		}, func(s *checkpoint.Store) error { return s.Delete(ctx, "match", checkpoint.IfMatch(latest.ID)) }},
		"find, history 20": {func(s *checkpoint.Store) (err error) {
			latest, err = s.Save(ctx, "history", 1)
			return errors.Join(err, save("history", 1)(s))
		}, func(s *checkpoint.Store) error {
			_, err := s.Find(ctx, "history", latest.ID)
			return err
		}},
		"versions, history 20": {save("history", 1), func(s *checkpoint.Store) error {
			for _, err := range s.Versions(ctx, "history", checkpoint.VersionsOptions{}) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		"load":           {save("thread", 1), load("thread")},
		"load of 100 KB": {save("large", large), load("large")},
		"load version": {func(s *checkpoint.Store) (err error) {
			latest, err = s.Save(ctx, "history", 1)
			return err
		}, func(s *checkpoint.Store) error {
			_, err := s.LoadVersion(ctx, "history", latest.Version-1, new(any))
			return err
		}},
		"stat": {save("thread", 1), func(s *checkpoint.Store) error {
			_, err := s.Stat(ctx, "thread")
			return err
		}},
		"history": {save("history", 1), func(s *checkpoint.Store) error {
			for _, err := range s.History(ctx, "history", checkpoint.HistoryOptions{}) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		"list, page of 100": {func(s *checkpoint.Store) error {
			for i := range 120 {
				if _, err := s.Save(ctx, "page/"+strconv.Itoa(i), 1); err != nil {
					return err
				}
			}
			return nil
		}, drain(100)},
		"delete": {save("gone", 1), remove("gone")},
		"restore": {func(s *checkpoint.Store) (err error) {
			latest, err = s.Save(ctx, "history", 1)
			return err
		}, func(s *checkpoint.Store) error {
			_, err := s.Restore(ctx, "history", latest.Version-1)
			return err
		}},
		"fork": {func(s *checkpoint.Store) (err error) {
			latest, err = s.Stat(ctx, "history")
			return errors.Join(err, remove("forked")(s))
		}, func(s *checkpoint.Store) error {
			_, err := s.Fork(ctx, "history", latest.Version-1, "forked")
			return err
		}},
		"update": {nil, func(s *checkpoint.Store) error {
			_, err := checkpoint.Update(ctx, s, "updated", func(n *int) error { *n++; return nil })
			return err
		}},
	}
}
