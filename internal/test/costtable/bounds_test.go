package costtable_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
	"github.com/go-ckpt/checkpoint/internal/test/costtable"
)

// sizes are those of the rows of both tables.
var sizes = map[string]int{"2 KB": 2 << 10, "100 KB": 100 << 10}

// check compares a count with the bound that the page gives. A bound far above
// the count says nothing any more and is wrong too.
func check(t *testing.T, row costtable.Row, column string, got int64) {
	t.Helper()
	most, err := strconv.ParseInt(row.Cells[column], 10, 64)
	if err != nil {
		t.Errorf("%s, %s: %v", row.Operation, column, err)
		return
	}
	t.Logf("%s, %s: %d of %d", row.Operation, column, got, most)
	if got > most {
		t.Errorf("%s, %s: %d, want at most %d", row.Operation, column, got, most)
	}
	if most > got+got/2+50 {
		t.Errorf("%s, %s: %d, which is far below the %d that the page gives", row.Operation, column, got, most)
	}
}

// action returns what a row like "save of 2 KB" does, and the bytes of its payload.
func action(t *testing.T, s *checkpoint.Store, operation string) (func(), int64) {
	t.Helper()
	for size, bytes := range sizes {
		state := json.RawMessage(agentstate.JSON(bytes, 1))
		save := func() {
			if _, err := s.Save(t.Context(), size, state); err != nil {
				t.Fatal(err)
			}
		}
		switch operation {
		case "save of " + size:
			return save, int64(len(state))
		case "load of " + size:
			save()
			return func() {
				var target json.RawMessage
				if _, err := s.Load(t.Context(), size, &target); err != nil {
					t.Fatal(err)
				}
			}, int64(len(state))
		}
	}
	t.Fatalf("the table has a row %q that nothing here does", operation)
	return nil, 0
}

func TestWire(t *testing.T) {
	for _, name := range []string{"Redis", "PostgreSQL", "DynamoDB"} {
		t.Run(name, func(t *testing.T) {
			server, proxy := behind(t, name)
			s := openStore(t, server)
			for _, row := range costtable.Table(t, "Bytes on the wire") {
				run, payload := action(t, s, row.Operation)
				for range 10 { // opens the connection and prepares statements
					run()
				}
				// The proxy counts a piece after it passed it on, so what belongs to one
				// call may be counted with the next: the median is right.
				var out, in []int64
				for range 15 {
					before := proxy.Counts()
					run()
					got := proxy.Counts().Sub(before)
					out, in = append(out, got.ToServer), append(in, got.ToClient)
				}
				slices.Sort(out)
				slices.Sort(in)
				sent, received := out[len(out)/2], in[len(in)/2]
				if row.Operation[:4] == "save" {
					sent -= payload
				} else {
					received -= payload
				}
				check(t, row, name+" out", sent)
				check(t, row, name+" in", received)
			}
		})
	}
}

// TestAllocations counts in the whole process: what the client's own goroutines
// allocate belongs to the cost.
func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("SKIPPED: the race detector allocates")
	}
	for _, name := range []string{"SQLite", "Redis", "PostgreSQL", "DynamoDB"} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, server(t, name))
			for _, row := range costtable.Table(t, "Allocations") {
				run, _ := action(t, s, row.Operation)
				for range 20 { // fills pools and caches
					run()
				}
				// Timers and the database's idle work allocate now and then: the
				// least of a few is the operation's own.
				got := testing.AllocsPerRun(20, run)
				for range 4 {
					got = min(got, testing.AllocsPerRun(20, run))
				}
				check(t, row, name, int64(got))
			}
		})
	}
}
