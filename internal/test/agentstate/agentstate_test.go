package agentstate_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	for _, size := range []int{agentstate.MinSize, 2_000, 2_001, 10_000, 100_000, 1_000_000} {
		for seed := range uint64(5) {
			got := agentstate.JSON(size, seed)
			if len(got) != size || !json.Valid(got) {
				t.Errorf("JSON(%d, %d) has %d bytes, valid %v, want %d valid ones", size, seed, len(got), json.Valid(got), size)
			}
			if !bytes.Equal(got, agentstate.JSON(size, seed)) {
				t.Errorf("JSON(%d, %d) is not the same twice", size, seed)
			}
		}
	}
	if bytes.Equal(agentstate.JSON(2_000, 1), agentstate.JSON(2_000, 2)) {
		t.Error("two seeds give one state")
	}
	if got := len(agentstate.JSON(0, 1)); got != agentstate.MinSize {
		t.Errorf("JSON(0) has %d bytes, want the least, %d", got, agentstate.MinSize)
	}
}

// TestRecording compares many runs with the figures that their comment names.
func TestRecording(t *testing.T) {
	t.Parallel()
	var messages, sizes, assistant, tool []int
	backslashes, all := 0, 0
	for seed := range 40 {
		run := agentstate.Recording(uint64(seed))
		size := 0
		for _, m := range run {
			text, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			size += len(text) + 1
			backslashes += bytes.Count(text, []byte(`\`))
			switch m.Role {
			case "assistant":
				assistant = append(assistant, len(text))
			case "tool":
				tool = append(tool, len(text))
			}
		}
		messages, sizes, all = append(messages, len(run)), append(sizes, size), all+size
	}
	at := func(values []int, percent int) float64 {
		slices.Sort(values)
		return float64(values[len(values)*percent/100])
	}
	for _, tt := range []struct {
		what           string
		got, low, high float64
	}{
		{"messages, median", at(messages, 50), 125, 172},
		{"messages, 10 %", at(messages, 10), 68, 108},
		{"messages, 90 %", at(messages, 90), 195, 285},
		{"bytes at the end, median", at(sizes, 50), 290_000, 440_000},
		{"an assistant's bytes, median", at(assistant, 50), 1400, 2000},
		{"an assistant's bytes, 99 %", at(assistant, 99), 14_000, 20_000},
		{"a tool's bytes, median", at(tool, 50), 900, 1300},
		{"a tool's bytes, 99 %", at(tool, 99), 11_500, 17_000},
		{"backslashes in 1,000 bytes", 1000 * float64(backslashes) / float64(all), 30, 42},
	} {
		if tt.got < tt.low || tt.got > tt.high {
			t.Errorf("%s: %v, want %v to %v", tt.what, tt.got, tt.low, tt.high)
		}
	}
}
