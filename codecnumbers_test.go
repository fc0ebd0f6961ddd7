package checkpoint_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// TestJSONNumbers: an Update that leaves a number alone leaves it as it is, in
// whatever store it was saved; without the codec it is rounded, as Update says.
func TestJSONNumbers(t *testing.T) {
	t.Parallel()
	const state = `{"bytes":9007199254740993,"deep":[{"price":0.1000000000000000055511151231257827}],"large":1e400}`
	const rounded = `{"bytes":9007199254740993,"deep":[1.5]}`
	b := memory.New()
	plain, exact := checkpoint.New(b), checkpoint.New(b, checkpoint.WithCodec(checkpoint.JSONNumbers()))
	if _, err := plain.Save(t.Context(), "t", json.RawMessage(state)); err != nil {
		t.Fatal(err)
	}
	touch := func(s *checkpoint.Store, thread string) string {
		t.Helper()
		info, err := checkpoint.Update(t.Context(), s, thread, func(state *map[string]any) error { return nil })
		if err != nil || info.Encoding != "json" {
			t.Fatalf("Update = %+v, %v", info, err)
		}
		var raw json.RawMessage
		if _, err := plain.Load(t.Context(), thread, &raw); err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	if got := touch(exact, "t"); got != state {
		t.Errorf("after Update: %s, want %s", got, state)
	}
	if _, err := plain.Save(t.Context(), "u", json.RawMessage(rounded)); err != nil {
		t.Fatal(err)
	}
	if got := touch(plain, "u"); got == rounded {
		t.Error("without the codec the number was kept: the test is no test")
	}
	var number any
	if _, err := exact.Save(t.Context(), "n", 1<<60+1); err != nil {
		t.Fatal(err)
	}
	if _, err := exact.Load(t.Context(), "n", &number); err != nil || number != json.Number("1152921504606846977") {
		t.Errorf("Load into an any = %T %v, %v, want a json.Number", number, number, err)
	}
	var typed int64
	if _, err := exact.Load(t.Context(), "n", &typed); err != nil || typed != 1<<60+1 {
		t.Errorf("Load into an int64 = %d, %v", typed, err)
	}
}

// TestJSONNumbersErrors: what is damaged or does not fit is refused as without the
// codec, and not shown.
func TestJSONNumbersErrors(t *testing.T) {
	t.Parallel()
	b := memory.New()
	plain, exact := checkpoint.New(b), checkpoint.New(b, checkpoint.WithCodec(checkpoint.JSONNumbers()))
	for n, payload := range []string{"", "{", `{"a":1} 2`, `{"a":hunter2}`, `"text"`, `{"a":"hunter2"}`} {
		req := driver.SaveRequest{Key: driver.Key{Namespace: "agents", Thread: "t"}, ID: "id-" + strconv.Itoa(n), Payload: []byte(payload), Encoding: "json", Now: time.Now(), Keep: 1}
		if _, err := b.Save(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		var a, c map[string]int
		_, want := plain.Load(t.Context(), "t", &a)
		_, got := exact.Load(t.Context(), "t", &c)
		if got == nil || want == nil || got.Error() != want.Error() || !errors.Is(got, checkpoint.ErrCorrupt) {
			t.Errorf("%q: %v, want %v", payload, got, want)
		}
	}
}
