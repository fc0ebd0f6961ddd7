package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// TestForms: a case that was given another name does not fall out of a form unseen.
func TestForms(t *testing.T) {
	t.Parallel()
	var names []string
	checkpointtest.Verify(t.Context(), func() (driver.Backend, error) { return memory.New(), nil },
		checkpointtest.Cases(func(name string) bool {
			names = append(names, name)
			return false
		}))
	for name, f := range forms {
		for _, beginning := range f {
			if !slices.ContainsFunc(names, form{beginning}.has) {
				t.Errorf("%s: no case's name begins with %q", name, beginning)
			}
		}
		for _, group := range []string{"Ping/", "Raw/", "Store/"} { // a page without one of them is not believed
			if !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, group) && f.has(n) }) {
				t.Errorf("%s has no case under %s", name, group)
			}
		}
	}
}

// hanging never ends a save.
type hanging struct{ driver.Backend }

func (h hanging) Save(ctx context.Context, _ driver.SaveRequest) (driver.Info, error) {
	<-ctx.Done()
	return driver.Info{}, ctx.Err()
}

// TestRunCases: every case is written once, also when those before it hang or the time
// is up.
func TestRunCases(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	shared := new(memory.Driver)
	open := func() (driver.Backend, error) { return shared.Open("memory:shared") }
	for _, test := range []struct {
		name string
		ctx  context.Context
		open func() (driver.Backend, error)
		want string // outcome of each
	}{
		{"all pass", t.Context(), open, "passed"},
		{"all hang", t.Context(), func() (driver.Backend, error) { return hanging{memory.New()}, nil }, unfinished},
		{"time is up", ended, open, unfinished},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			limit := time.Minute
			if test.want == unfinished {
				limit = time.Millisecond
			}
			var want, got []string
			var out bytes.Buffer
			err := runCases(test.ctx, test.open, func(name string) bool {
				if !strings.HasPrefix(name, "Raw/Conditions/") {
					return false
				}
				if line := fmt.Sprint(name, " ", test.want); !slices.Contains(want, line) {
					want = append(want, line)
				}
				return true
			}, limit, json.NewEncoder(&out))
			if err != nil {
				t.Fatal(err)
			}
			for d := json.NewDecoder(&out); d.More(); {
				var r result
				if err := d.Decode(&r); err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprint(r.Case, " ", r.Outcome))
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) || len(want) < 4 {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
