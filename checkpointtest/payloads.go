package checkpointtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
)

func payloadCases() []testCase {
	return []testCase{
		{name: "Raw/Payload/Empty", run: payloadEmpty,
			rule: 8, text: "An empty payload is a payload, and the thread is not absent."},
		{name: "Raw/Payload/Bytes", run: payloadBytes,
			rule: 8, text: "A payload whose encoding is not json comes back byte for byte."},
		{name: "Raw/Payload/Encodings", run: payloadEncodings,
			rule: 8, text: "The encoding comes back as given, and each version has its own."},
		{name: "Raw/Payload/Size", run: payloadSize,
			rule: 6, text: "Size is the length of the payload as it was given to the backend."},
		{name: "Raw/Payload/Around400KB", heavy: true, run: payloadAround400KB,
			rule: 8, text: "Payloads around 400 KB come back as they were."},
		{name: "Raw/Payload/1MB", heavy: true, run: payload1MB,
			rule: 8, text: "Payloads of 1 MB come back as they were."},
		{name: "Raw/Payload/16MB", heavy: true, run: payload16MB,
			rule: 8, text: "Payloads of 16 MiB, and the few bytes that sealing adds, come back as they were."},
		{name: "Raw/Payload/Owned", heavy: true, run: payloadOwned,
			rule: 8, text: "Payloads and metadata that were returned stay as they are when the database changes, and belong to the caller, whatever their size."},
		{name: "Raw/Payload/ChangingSize", run: payloadChangingSize,
			rule: 8, text: "A small payload after a large one, and a large one after a small one, come back as they were."},
		{name: "Raw/JSON/Strings", run: jsonStrings,
			rule: 8, text: "JSON strings come back as the same value, with U+0000 and escaped surrogates that stand alone."},
		{name: "Raw/JSON/Numbers", run: jsonNumbers,
			rule: 8, text: "JSON numbers come back to their last digit, whatever their size."},
		{name: "Raw/JSON/Shapes", run: jsonShapes,
			rule: 8, text: "Empty containers, null, scalars on top and odd keys come back as the same value."},
		{name: "Raw/JSON/Nesting", run: jsonNesting,
			rule: 8, text: "JSON nested to 1,000 levels comes back as the same value."},
		{name: "Raw/JSON/DuplicateKeys", run: jsonDuplicateKeys,
			rule: 8, text: "An object with duplicate keys is stored; which of them is kept is open."},
		{name: "Raw/Metadata/Values", run: metadataValues,
			rule: 8, text: "Metadata comes back as it was, from Save, Load, List and History, up to 64 entries and 4 KiB."},
		{name: "Raw/Metadata/None", run: metadataNone,
			rule: 8, text: "Where there is no metadata Info has a nil map, also after a version that had some."},
	}
}

// A payload of hugePayload bytes is saved again, patientSaves times at most, if the
// database is said to be unavailable: rule 11 has a busy one answer so after 10
// seconds, and on a busy machine it may take longer than that.
const (
	hugePayload  = 16 << 20
	patientSaves = 3
)

// roundTrip saves a payload and loads it again; diff compares.
func (t *trial) roundTrip(b driver.Backend, encoding string, payload []byte, diff func(got, want []byte) string) {
	req := t.request("thread")
	req.Encoding = encoding
	req.Payload = payload
	info, err := b.Save(t.ctx, req)
	for tries := 0; len(payload) >= hugePayload && errors.Is(err, driver.ErrUnavailable) && tries < patientSaves; tries++ {
		info, err = b.Save(t.ctx, req) // rule 3 makes it the same save
	}
	if err != nil {
		t.Errorf("Save of %s %s: error %v, want success", encoding, showPayload(payload), err)
		return
	}
	got, err := b.Load(t.ctx, driver.LoadRequest{Key: req.Key, Now: t.now})
	if err != nil {
		t.Errorf("Load after Save of %s %s: error %v, want success", encoding, showPayload(payload), err)
		return
	}
	if got.ID != info.ID {
		t.Errorf("Load after Save returned id %s, want %s", got.ID, info.ID)
	}
	if d := diff(got.Payload, payload); d != "" {
		t.Errorf("%s %s came back as another value: %s", encoding, showPayload(payload), d)
	}
}

func showPayload(p []byte) string {
	if len(p) > 80 {
		return fmt.Sprintf("%.60q… (%d bytes)", p, len(p))
	}
	return fmt.Sprintf("%q", p)
}

func payloadEmpty(t *trial) {
	b := t.open()
	for _, payload := range [][]byte{nil, {}} {
		t.roundTrip(b, "bytes", payload, diffBytes)
	}
	t.roundTrip(b, "bytes", []byte("not empty"), diffBytes)
	t.roundTrip(b, "bytes", nil, diffBytes)
	t.names(b, driver.ListRequest{}, "thread")
}

func payloadBytes(t *trial) {
	b := t.open()
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, payload := range [][]byte{
		every, {0}, {0, 0, 0}, []byte("\xff\xfe"), []byte("\xed\xa0\x80"), []byte(" padded\t\r\n "), []byte("\r\n"), []byte("\n"), []byte("line\r\nline\n"),
		[]byte(`{"b":1, "a":1.0, "a":2}`), []byte("{ }\n"), []byte("null"), []byte("1e3"), []byte(`"\u0041"`), []byte("\ufeff{}"), []byte("e\u0301"),
		[]byte("\\x00"), []byte(`\000`), []byte("'; --"), []byte("%s%d%!"), []byte("\x1f\x8b\x08"), []byte("\x28\xb5\x2f\xfd"), []byte("AAAA====="),
	} {
		t.roundTrip(b, "bytes", payload, diffBytes)
	}
}

func payloadEncodings(t *trial) {
	b := t.open()
	payload := []byte("\x00\xff no JSON at all")
	encodings := []string{"bytes", "gob", "json+zstd", "json+zstd+aead", "json+aead", "JSON", "jsonb", "json ", "x-proto;v=2", strings.Repeat("e", 64) + "+zstd+aead"}
	for version, encoding := range encodings {
		req := t.request("thread")
		req.Keep = len(encodings)
		req.Encoding = encoding
		req.Payload = payload
		t.save(b, req)
		got := t.load(b, "thread")
		if got.Encoding != encoding || !bytes.Equal(got.Payload, payload) {
			t.Errorf("saved %q as %q, Load returned %q as %q", payload, encoding, got.Payload, got.Encoding)
		}
		if got := t.loadVersion(b, "thread", int64(version+1), t.now); got.Encoding != encoding {
			t.Errorf("Load of version %d returned encoding %q, want %q", version+1, got.Encoding, encoding)
		}
	}
}

func payloadSize(t *trial) {
	b := t.open()
	for _, payload := range []struct{ encoding, text string }{
		{"json", `{ "a" : [1,   2],   "b": "\u0041" }`}, {"json", "[]"}, {"json", `"\u0000"`}, {"bytes", "\x00\xff"}, {"bytes", strings.Repeat("zip me ", 1000)},
	} {
		req := t.request("thread")
		req.Encoding = payload.encoding
		req.Payload = []byte(payload.text)
		want := len(req.Payload)
		if got := t.save(b, req).Size; got != want {
			t.Errorf("Save of %d bytes returned Size %d", want, got)
		}
		if got := t.load(b, "thread").Size; got != want {
			t.Errorf("Load of %d bytes returned Size %d", want, got)
		}
		if got := t.historyOf(b, "thread")[0].Size; got != want {
			t.Errorf("History of a version of %d bytes yielded Size %d", want, got)
		}
	}
}

// randomBytes returns n bytes that nothing can compress, the same ones for the
// same n.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}).Read(b)
	return b
}

// repetitiveJSON returns a JSON object of n bytes.
func repetitiveJSON(n int) []byte {
	const head, entry, tail = `{"messages":["`, `the same words again and again; `, `"]}`
	text := strings.Repeat(entry, n/len(entry)+1)[:n-len(head)-len(tail)]
	return []byte(head + text + tail)
}

func (t *trial) sizes(sizes ...int) {
	b := t.open()
	for _, size := range sizes {
		t.roundTrip(b, "bytes", randomBytes(size), diffBytes)
		t.roundTrip(b, "json", repetitiveJSON(size), diffJSON)
	}
}

func payloadAround400KB(t *trial) { t.sizes(399_000, 400_000, 401_000, 399<<10, 400<<10, 401<<10) }

func payload1MB(t *trial) { t.sizes(1_000_000, 1<<20) }

func payload16MB(t *trial) {
	b := t.open()
	t.roundTrip(b, "json", repetitiveJSON(16<<20), diffJSON)
	t.roundTrip(b, "bytes", randomBytes(16<<20+64<<10), diffBytes) // as what was sealed is
}

func payloadChangingSize(t *trial) {
	b := t.open()
	var want [][]byte
	for _, size := range []int{1 << 20, 30, 450_000, 900_000, 50, 1 << 20} {
		req := t.request("thread")
		req.Keep = 3
		req.Encoding = "bytes"
		req.Payload = randomBytes(size)
		t.save(b, req)
		want = append(want, req.Payload)
		for version := len(want); version > max(0, len(want)-3); version-- {
			if d := diffBytes(t.loadVersion(b, "thread", int64(version), t.now).Payload, want[version-1]); d != "" {
				t.Errorf("after version %d, the payload of version %d: %s", len(want), version, d)
			}
		}
	}
	t.remove(b, "thread")
	t.roundTrip(b, "bytes", []byte("small again"), diffBytes)
}

// json saves each text and expects the same value back, alone and inside of
// others.
func (t *trial) json(texts ...string) {
	b := t.open()
	for _, text := range texts {
		if !json.Valid([]byte(text)) {
			t.Fatalf("the suite's own %q is not JSON", text)
		}
		t.roundTrip(b, "json", []byte(text), diffJSON)
	}
	t.roundTrip(b, "json", []byte("["+strings.Join(texts, ",\n")+"]"), diffJSON)
	t.roundTrip(b, "json", []byte(`{"k": {"deep":[`+strings.Join(texts, ", ")+"]}}"), diffJSON)
}

func jsonStrings(t *trial) {
	t.json(
		`"\u0000"`, `"a\u0000b"`, `"\u0000\u0000"`, `"\\u0000"`, `"\\\u0000"`,
		`"\ud800"`, `"\udfff"`, `"\udc00\ud800"`, `"\ud800x"`, `"\ud83d\ude00"`, `"\ud83d\ud83d\ude00"`, `"😀"`,
		`""`, `" "`, `"  two  "`, `"\"\\\/\b\f\n\r\t"`, `"\u0001\u001f\u007f\u0080"`, `"\u2028\u2029"`, `"\ufeff"`, `"\uffff\ufffe"`, `"\ufffd"`,
		`"é"`, `"e\u0301"`, `"\u00e9"`, `"<script>&amp;'"`, `"'; DROP TABLE x; --"`, `"%s $1 :a ?"`, `"\\x41"`, `"`+strings.Repeat("long ", 20_000)+`"`,
		`{"\u0000":1,"\ud800":2}`, `"true"`, `"null"`, `"12"`, `"2024-01-01T00:00:00Z"`,
	)
}

func jsonNumbers(t *trial) {
	t.json(
		"0", "-0", "1", "-1", "9007199254740991", "9007199254740993", "-9007199254740993", "9223372036854775807", "9223372036854775808", "18446744073709551616",
		"123456789012345678901234567890", "-0.123456789012345678901234567890", "3.141592653589793238462643383279502884197",
		"0.1", "1.0", "100", "1E2", "1e+2", "1e-2", "0.30000000000000004", "1.7976931348623157e308", "5e-324", "1e400", "-1e400", "1e-400",
		"1e131071", "1e131072", "1e131073", "1e-16383", "1e-16384", "1e-20000", "1.5e200000", "1e2147483648",
		strings.Repeat("9", 3_000), "0."+strings.Repeat("1", 3_000),
	)
}

func jsonShapes(t *trial) {
	t.json(
		"{}", "[]", "null", "true", "false", "[[]]", "[{}]", "[null]", `{"a":null}`, `{"a":{}}`, `{"a":[]}`, "[[],[[]],[[],[]]]",
		`{"":1}`, `{" ":1,"":2}`, `{"a":1,"A":2}`, `{"é":1,"e\u0301":2}`, `{"a.b":1,"a":{"b":2}}`, `{"$set":1,"_id":2,"__proto__":3}`,
		`{"b":1,"a":2,"c":[3,2,1]}`, " \t\r\n[ 1 , 2 ]\n", `[1,1,1]`, `{"1":1,"0":0,"10":10}`, "["+strings.TrimSuffix(strings.Repeat("0,", 10_000), ",")+"]",
	)
}

func jsonNesting(t *trial) {
	b := t.open()
	const depth = 1_000
	for _, text := range []string{
		strings.Repeat("[", depth) + strings.Repeat("]", depth),
		strings.Repeat(`{"a":`, depth-1) + "{}" + strings.Repeat("}", depth-1),
		strings.Repeat(`[{"a":`, depth/2) + `"end"` + strings.Repeat("}]", depth/2),
	} {
		t.roundTrip(b, "json", []byte(text), diffJSON)
	}
}

func jsonDuplicateKeys(t *trial) {
	b := t.open()
	t.roundTrip(b, "json", []byte(`{"a":1,"b":true,"a":2}`), func(got, _ []byte) string {
		for _, value := range []string{"1", "2"} {
			if diffJSON(got, []byte(`{"b":true,"a":`+value+`}`)) == "" {
				return ""
			}
		}
		return fmt.Sprintf("%q", got)
	})
}

func metadataValues(t *trial) {
	b := t.open()
	many := make(map[string]string)
	for i := range 64 {
		many[fmt.Sprintf("key-%02d", i)] = strings.Repeat("v", 4096/64-6)
	}
	for _, metadata := range []map[string]string{
		{"key": "value"},
		{"model": "größe 模型 😀", "e\u0301": "nfd", "é": "nfc", "Key": "1", "key": "2", " key ": " padded "},
		{"quote": `'"\`, "%": "_*?", "\n": "\r\n\t\x01", "json": `{"a":1}`, "null": "null", "empty": "", "id": "x", "version": "7", "a.b": "c", "$1": "{}"},
		{strings.Repeat("k", 2048): strings.Repeat("v", 2048)},
		{"k": strings.Repeat("\x01", 4095)},
		many,
	} {
		req := t.request("thread")
		req.Metadata = metadata
		saved := t.save(b, req)
		list, history := t.listed(b, driver.ListRequest{}), t.historyOf(b, "thread")
		if len(list) != 1 || len(history) != 1 {
			t.Fatalf("List and History yielded %d and %d, want 1 each", len(list), len(history))
		}
		for call, got := range map[string]driver.Info{"Save": saved, "Load": t.load(b, "thread").Info, "List": list[0], "History": history[0]} {
			if !maps.Equal(got.Metadata, metadata) {
				t.Errorf("%s: metadata came back %s", call, difference(got.Metadata, metadata))
			}
		}
	}
	// Each version has its own.
	for _, value := range []string{"one", "two", "three"} {
		req := t.request("versions")
		req.Keep = 3
		req.Metadata = map[string]string{"is": value}
		t.save(b, req)
	}
	for i, value := range []string{"one", "two", "three"} {
		if got := t.loadVersion(b, "versions", int64(i+1), t.now).Metadata["is"]; got != value {
			t.Errorf("version %d has the metadata %q, want %q", i+1, got, value)
		}
	}
}

func metadataNone(t *trial) {
	b := t.open()
	for _, metadata := range []map[string]string{nil, {}, {"key": "value"}, nil} {
		req := t.request("thread")
		req.Metadata = metadata
		saved := t.save(b, req)
		if len(metadata) > 0 {
			continue
		}
		for call, got := range map[string]driver.Info{
			"Save": saved, "Load": t.load(b, "thread").Info, "List": t.listed(b, driver.ListRequest{})[0], "History": t.historyOf(b, "thread")[0],
		} {
			if got.Metadata != nil {
				t.Errorf("%s: metadata is %#v, want a nil map", call, got.Metadata)
			}
		}
	}
}
