package agentstate_test

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/go-ckpt/checkpoint/internal/agentstate"
)

func TestConversation(t *testing.T) {
	t.Parallel()
	for _, size := range []int{2 << 10, 100 << 10, 1 << 20} {
		got := agentstate.JSON(size)
		if len(got) < size || len(got) > size+size/10+200 {
			t.Errorf("JSON(%d) has %d bytes, want at least that and hardly more", size, len(got))
		}
		if !bytes.Equal(got, agentstate.JSON(size)) {
			t.Errorf("JSON(%d) is another one the second time", size)
		}
		var back agentstate.State
		if err := json.Unmarshal(got, &back); err != nil || !reflect.DeepEqual(mustJSON(t, back), got) {
			t.Errorf("JSON(%d) does not come back: %v", size, err)
		}
		var small bytes.Buffer
		w, _ := flate.NewWriter(&small, flate.DefaultCompression)
		w.Write(got)
		w.Close()
		if ratio := float64(len(got)) / float64(small.Len()); ratio < 1.5 || ratio > 5 {
			t.Errorf("JSON(%d) compresses %.1f times, want what prose does", size, ratio)
		}
	}
}

func TestGrow(t *testing.T) {
	t.Parallel()
	s := agentstate.Conversation(2 << 10)
	before := len(mustJSON(t, s))
	s = agentstate.Grow(s, 2<<10)
	if grown := len(mustJSON(t, s)) - before; grown < 2<<10 || grown > 3<<10 {
		t.Errorf("Grow added %d bytes, want about %d", grown, 2<<10)
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
