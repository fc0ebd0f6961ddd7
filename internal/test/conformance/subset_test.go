package conformance

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// TestSubsets: a case that was given another name does not fall out of a subset
// unseen.
func TestSubsets(t *testing.T) {
	open := func() (driver.Backend, error) { return memory.New(), nil }
	var names []string
	checkpointtest.Verify(t.Context(), open,
		checkpointtest.Unreachable(func(testing.TB) driver.Backend { return memory.New() }),
		checkpointtest.StoredPayloads(func(context.Context, string) (int, error) { return 0, nil }, 0),
		checkpointtest.Cases(func(name string) bool {
			names = append(names, name)
			return false
		}))
	for _, beginning := range slices.Concat(clients, lists) {
		if !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, beginning) }) {
			t.Errorf("no case's name begins with %q", beginning)
		}
	}
}
