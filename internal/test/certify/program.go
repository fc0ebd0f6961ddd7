package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/dynamodb"
	_ "github.com/go-ckpt/checkpoint/drivers/postgres"
	_ "github.com/go-ckpt/checkpoint/drivers/redis"
)

// A state is what the program saves.
type state struct {
	Text  string `json:"text"`
	Count int    `json:"count"`
}

// A step is a thing that applications do with a store, and the rule of package driver
// that it rests on.
type step struct {
	name string
	rule int
	do   func(ctx context.Context, s *checkpoint.Store) error
}

var steps = []step{
	{"SaveAndLoad", 1, saveAndLoad},
	{"Conditions", 4, conditions},
	{"Update", 4, update},
	{"OverlappingUpdates", 4, overlappingUpdates},
	{"TTL", 5, ttl},
	{"History", 6, history},
	{"List", 7, list},
	{"State600KB", 8, largeState},
	{"Delete", 1, remove},
	{"Purge", 5, purge},
}

// use opens the store of a URL, does every step and writes what came of each. It
// reports whether all have passed.
func use(ctx context.Context, url string, out *json.Encoder) (bool, error) {
	opened, err := checkpoint.OpenURL(url, checkpoint.WithHistory(3))
	if err != nil {
		return false, err
	}
	defer opened.Close()
	s := opened.Namespace(fmt.Sprintf("certify-%d", rand.Uint32()))
	ok := true
	for _, step := range steps {
		r := result{Case: "Program/" + step.name, Rule: step.rule, Outcome: "passed"}
		began := time.Now()
		if err := step.do(ctx, s); err != nil {
			ok, r.Outcome, r.Reason = false, "failed", err.Error()
		}
		r.Millis = time.Since(began).Milliseconds()
		if err := out.Encode(r); err != nil {
			return false, err
		}
	}
	_, err = s.DeletePrefix(ctx, "t")
	return ok, err
}

func saveAndLoad(ctx context.Context, s *checkpoint.Store) error {
	saved, err := s.Save(ctx, "t/first", state{Text: "one"}, checkpoint.Metadata(map[string]string{"user": "ä"}))
	if err != nil {
		return err
	}
	var got state
	loaded, err := s.Load(ctx, "t/first", &got)
	switch {
	case err != nil:
		return err
	case got.Text != "one" || loaded.ID != saved.ID || loaded.Metadata["user"] != "ä" || !loaded.CreatedAt.Equal(saved.CreatedAt):
		return fmt.Errorf("loaded %+v, %+v; saved %+v", got, loaded, saved)
	}
	return nil
}

func conditions(ctx context.Context, s *checkpoint.Store) error {
	first, err := s.Save(ctx, "t/conditional", state{}, checkpoint.IfAbsent())
	if err != nil {
		return err
	}
	second, err := s.Save(ctx, "t/conditional", state{Count: 1}, checkpoint.IfMatch(first.ID))
	if err != nil {
		return err
	}
	for _, c := range []checkpoint.SaveOption{checkpoint.IfAbsent(), checkpoint.IfMatch(first.ID), checkpoint.IfVersion(1)} {
		_, err := s.Save(ctx, "t/conditional", state{Count: 2}, c)
		var conflict *checkpoint.ConflictError
		if !errors.As(err, &conflict) || conflict.Current.ID != second.ID {
			return fmt.Errorf("a condition that does not hold: %v, current %+v; the latest is %s", err, conflict, second.ID)
		}
	}
	return nil
}

func add(ctx context.Context, s *checkpoint.Store, thread string) error {
	_, err := checkpoint.Update(ctx, s, thread, func(v *state) error {
		v.Count++
		return nil
	})
	return err
}

func update(ctx context.Context, s *checkpoint.Store) error {
	for range 5 {
		if err := add(ctx, s, "t/counter"); err != nil {
			return err
		}
	}
	return counted(ctx, s, "t/counter", 5)
}

func overlappingUpdates(ctx context.Context, s *checkpoint.Store) error {
	const workers, each = 4, 6
	failed := make([]error, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for range each {
				failed[i] = errors.Join(failed[i], add(ctx, s, "t/shared"))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	return counted(ctx, s, "t/shared", workers*each)
}

func counted(ctx context.Context, s *checkpoint.Store, thread string, want int) error {
	got, _, err := checkpoint.Get[state](ctx, s, thread)
	if err == nil && got.Count != want {
		err = fmt.Errorf("counted %d of %d updates that were acknowledged", got.Count, want)
	}
	return err
}

// ttl saves what lives for a second, and waits until it is gone.
func ttl(ctx context.Context, s *checkpoint.Store) error {
	saved, err := s.Save(ctx, "t/short", state{}, checkpoint.ExpiresIn(time.Second))
	if err != nil {
		return err
	}
	for {
		_, err := s.Stat(ctx, "t/short")
		switch {
		case errors.Is(err, checkpoint.ErrNotFound) && !time.Now().Before(saved.ExpiresAt):
			return nil
		case errors.Is(err, checkpoint.ErrNotFound):
			return fmt.Errorf("gone before %v", saved.ExpiresAt)
		case err != nil:
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func history(ctx context.Context, s *checkpoint.Store) error {
	for i := range 5 {
		if _, err := s.Save(ctx, "t/versions", state{Count: i + 1}); err != nil {
			return err
		}
	}
	var kept []int64
	for info, err := range s.History(ctx, "t/versions", checkpoint.HistoryOptions{}) {
		if err != nil {
			return err
		}
		kept = append(kept, info.Version)
	}
	if fmt.Sprint(kept) != "[5 4 3]" {
		return fmt.Errorf("versions %v, want [5 4 3]", kept)
	}
	var got state
	if _, err := s.LoadVersion(ctx, "t/versions", 3, &got); err != nil || got.Count != 3 {
		return fmt.Errorf("version 3 is %+v, %v", got, err)
	}
	return nil
}

func list(ctx context.Context, s *checkpoint.Store) error {
	for _, name := range []string{"t/list/b", "t/list/a", "t/lisu"} {
		if _, err := s.Save(ctx, name, state{}); err != nil {
			return err
		}
	}
	var got []string
	for info, err := range s.List(ctx, checkpoint.ListOptions{Prefix: "t/list/"}) {
		if err != nil {
			return err
		}
		got = append(got, info.Thread)
	}
	if fmt.Sprint(got) != "[t/list/a t/list/b]" {
		return fmt.Errorf("listed %v", got)
	}
	return nil
}

// largeState saves more than an item of DynamoDB or a buffer of a pooler holds, which
// does not compress either.
func largeState(ctx context.Context, s *checkpoint.Store) error {
	text := make([]byte, 600_000)
	for i := range text {
		text[i] = byte('a' + rand.N(26))
	}
	if _, err := s.Save(ctx, "t/large", state{Text: string(text)}); err != nil {
		return err
	}
	if err := add(ctx, s, "t/large"); err != nil {
		return err
	}
	got, _, err := checkpoint.Get[state](ctx, s, "t/large")
	if err == nil && (got.Text != string(text) || got.Count != 1) {
		err = errors.New("the state that was loaded is another than was saved")
	}
	return err
}

func remove(ctx context.Context, s *checkpoint.Store) error {
	if err := s.Delete(ctx, "t/versions"); err != nil {
		return err
	}
	if _, err := s.Stat(ctx, "t/versions"); !errors.Is(err, checkpoint.ErrNotFound) {
		return fmt.Errorf("after a deletion: %v", err)
	}
	return nil
}

func purge(ctx context.Context, s *checkpoint.Store) error {
	_, err := s.Purge(ctx)
	return err
}
