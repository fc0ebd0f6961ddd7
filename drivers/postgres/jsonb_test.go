package postgres

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/internal/jsonvalue"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// texts are JSON texts and whether JSONB holds them, by what fitsJSONB says.
var texts = []struct {
	name, text string
	fits       bool
}{
	{"object", `{"step": 1, "plan": ["a", "b"], "done": false, "next": null}`, true},
	{"null", `null`, true},
	{"string", `"text"`, true},
	{"number", `12`, true},
	{"empty", `{"a": {}, "b": [], "": ""}`, true},
	{"key given twice", `{"a": 1, "a": 2}`, true},
	{"NUL", `{"a": "x\u0000y"}`, false},
	{"NUL in a key", `{"\u0000": 1}`, false},
	{"escaped backslash before u", `"\\u0000"`, true},
	{"backslash and NUL", `"\\\u0000"`, false},
	{"escapes", `"\u0001\u00e9\uFFFF\u2028\/\b\f\n\r\t\"\\"`, true},
	{"pair", `"\ud83d\ude00 \uD83D\uDE00"`, true},
	{"high surrogate alone", `"\ud83d"`, false},
	{"high surrogate before another escape", `"\ud83d\u0041"`, false},
	{"two high surrogates", `"\ud83d\ud83d\ude00"`, false},
	{"low surrogate alone", `"\ude00"`, false},
	{"emoji as they are", `"😀é` + "\u2028" + `"`, true},
	{"2^53+1", `9007199254740993`, true},
	{"30 digits", `123456789012345678901234567890`, true},
	{"30 digits behind the point", `0.123456789012345678901234567890`, true},
	{"minus zero", `[-0, -0.0, -0e5]`, true},
	{"a double", `[1.7976931348623157e308, 5e-324, -1e22, 1E+7]`, true},
	{"1e400", `1e400`, true},
	{"1e-999", `[1e-999]`, true},
	{"1e1000", `1e1000`, false},
	{"1e131071", `{"a":1e131071}`, false},
	{"1e131072", `1e131072`, false},
	{"1e-20000", `[ 1e-20000 ]`, false},
	{"1E+0001000", `1E+0001000`, false},
	{"1e00001", `1e00001`, true},
	{"many large numbers", `[` + strings.Repeat(`1e999,`, 100) + `0]`, false},
	{"some large numbers", `[` + strings.Repeat(`1e300,`, 10) + `0]`, true},
	{"2,000 digits", strings.Repeat("7", 2000), false},
	{"1,000 digits", strings.Repeat("7", 1000), true},
	{"2,000 digits behind the point", "0." + strings.Repeat("7", 2000), false},
	{"2,000 digits in a string", `"` + strings.Repeat("7", 2000) + `"`, true},
	{"hexadecimal", `{"id": "msg_7f9e1024e99999"}`, true},
	{"like a number, in a string", `"a \" [1e5000, 2]"`, true},
	{"a number after such a string", `["\\", "\" [1e5000]", 1e5000]`, false},
	{"nested 1,000 deep", strings.Repeat(`[`, 1000) + strings.Repeat(`]`, 1000), true},
}

func TestFitsJSONB(t *testing.T) {
	t.Parallel()
	for _, tt := range texts {
		if got := fitsJSONB([]byte(tt.text)); got != tt.fits {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.fits)
		}
	}
	for _, size := range []int{2 << 10, 100 << 10} {
		for i := range 5 {
			if !fitsJSONB(agentstate.JSON(size, uint64(i))) {
				t.Errorf("the state of an agent of %d bytes (%d) does not fit", size, i)
			}
		}
	}
	if fitsJSONB(make([]byte, maxJSONB+1)) {
		t.Error("more than the limit fits")
	}
}

// TestWhereStatesAre saves every text and looks into the table: what fits can
// be queried, and everything comes back.
func TestWhereStatesAre(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	b, db := openReady(t, dsn), plain(t, dsn)
	where := func(t *testing.T, name, text string, jsonb bool) {
		t.Helper()
		info := mustSave(t, b, save(name, text))
		c, err := load(t.Context(), b, name)
		if err != nil {
			t.Fatalf("%s: Load: %v", name, err)
		}
		got, err := jsonvalue.Canonical(c.Payload)
		want, wantErr := jsonvalue.Canonical([]byte(text))
		if err != nil || wantErr != nil {
			got, want = string(c.Payload), text
		}
		if got != want || info.Size != len(text) || c.Size != len(text) {
			t.Errorf("%s: %.100s with %d bytes came back as %.100s with %d", name, text, len(text), c.Payload, c.Size)
		}
		if got := selectText(t, db, "SELECT payload IS NULL FROM agent_checkpoints WHERE thread_id = $1", name); got != fmt.Sprint(jsonb) {
			t.Errorf("%s: in state: %v, want %v", name, got, jsonb)
		}
	}
	for _, tt := range texts {
		where(t, tt.name, tt.text, tt.fits)
	}
	// What only the server can tell takes the second way.
	where(t, "nested 12,000 deep", strings.Repeat(`[`, 12_000)+strings.Repeat(`]`, 12_000), true)
	where(t, "nested 100,000 deep", strings.Repeat(`[`, 100_000)+strings.Repeat(`]`, 100_000), false)
	where(t, "no JSON at all", `{"a": `, false)
	where(t, "not UTF-8", "\"\xff\"", false)
	where(t, "empty", "", false)
	big := save("bytes", `{"json": "as bytes"}`)
	big.Encoding = "bytes"
	mustSave(t, b, big)
	if got := selectText(t, db, "SELECT state::text || encode(payload, 'escape') FROM agent_checkpoints WHERE thread_id = 'bytes'"); got != `null{"json": "as bytes"}` {
		t.Errorf("bytes are stored as %s", got)
	}
	if got := selectText(t, db, "SELECT state->'plan'->>1 FROM agent_checkpoints WHERE state @> '{\"step\": 1}'"); got != "b" {
		t.Errorf("a query finds %q, want b", got)
	}
}

// FuzzFitsJSONB holds what fits against what JSONB would make of it, as far as
// that can be told without a server: no NUL, no half pair, no text that grows to
// more than a few times its length.
func FuzzFitsJSONB(f *testing.F) {
	for _, tt := range texts {
		f.Add([]byte(tt.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) || !fitsJSONB(text) {
			return
		}
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		written := 0
		for {
			token, err := dec.Token()
			if err != nil {
				break
			}
			switch v := token.(type) {
			case string:
				if strings.Contains(v, "\x00") {
					t.Fatalf("a NUL fits: %q", text)
				}
			case json.Number:
				mantissa, exponent, _ := strings.Cut(strings.ToLower(string(v)), "e")
				e := 0
				fmt.Sscan(exponent, &e)
				if math.Abs(float64(e)) > 999 || len(mantissa) > 2100 {
					t.Fatalf("%s fits", v)
				}
				written += len(mantissa)
				if math.Abs(float64(e)) > 99 {
					written += int(math.Abs(float64(e)))
				}
			}
		}
		if written > 2*len(text)+4096 {
			t.Fatalf("%d bytes would come back as %d", len(text), written)
		}
	})
}

func BenchmarkFitsJSONB(b *testing.B) {
	text := agentstate.JSON(100<<10, 1)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		fitsJSONB(text)
	}
}
