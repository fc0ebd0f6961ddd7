package main

import (
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
)

func TestRun(t *testing.T) {
	t.Parallel()
	store, err := checkpoint.Open("memory", "?history=all")
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var out strings.Builder
	if err := run(t.Context(), store, &out); err != nil {
		t.Fatal(err)
	}
	const want = `version 4: dinner
version 3: helicopter
version 2: hotel
version 1: train to Lyon
good until version 2
forked: version 1, from version 2
restored: version 5 is version 2 again
trip: [train to Lyon hotel] for 150
trip-by-bus: [train to Lyon hotel bus] for 165
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
