package exportfile

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

var update = flag.Bool("update", false, "write the golden file anew")

const golden = "testdata/v1.jsonl"

var day = time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)

func sample(namespace, thread string, version int64, encoding, payload string) driver.Checkpoint {
	return driver.Checkpoint{
		Info: driver.Info{
			Key:       driver.Key{Namespace: namespace, Thread: thread},
			ID:        fmt.Sprintf("ID%024d", version),
			Version:   version,
			Encoding:  encoding,
			Size:      len(payload),
			CreatedAt: day,
			SavedAt:   day.Add(time.Duration(version) * time.Microsecond),
		},
		Payload: []byte(payload),
	}
}

// samples are one of every kind that the format tells apart, in its order.
func samples() []driver.Checkpoint {
	all := []driver.Checkpoint{
		sample("agents", "\x1b[31m\n\"', ,\"sum\":\"", 1, "json", `{"text":",\"sum\":\"00\"}"}`),
		sample("agents", "a", 3, "json", `{"big":9007199254740993, "huge":1e400,"escaped":"\u0000\ud800<&>","a":1,"a":2}`),
		sample("agents", "a", 4, "json", "{\n  \"indented\": true\n}"),
		sample("agents", "a", 5, "json", ` "a space before"`),
		sample("agents", "a", 6, "json", `null`),
		sample("agents", "a", 7, "json", "{not JSON at all"),
		sample("agents", "a", 8, "bytes", ""),
		sample("agents", "a", 9, "bytes", "\x00\xff\n\r\x80"),
		sample("agents", "a", 10, "json+zstd+aead", "\x01\x02\x03"),
		sample("agents", "a", 12, "json", strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)),
		sample("agents", "ä", driver.MaxVersion, "json", `"é `+"\u2028\u202e"+`"`),
		sample("tenant-2", "a", 1, "json", `0`),
	}
	all[1].Metadata = map[string]string{"author": "ops <&>", "note": "line\nend"}
	all[1].ExpiresAt = day.Add(time.Hour)
	return all
}

func export(t testing.TB, h Header, cps []driver.Checkpoint) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, h)
	if err != nil {
		t.Fatal(err)
	}
	for _, cp := range cps {
		if err := w.Write(cp); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// readAll reads until the first error; nil when the file ended as it should.
func readAll(r io.Reader) ([]driver.Checkpoint, error) {
	f, err := NewReader(r, 1<<20)
	if err != nil {
		return nil, err
	}
	var all []driver.Checkpoint
	for {
		cp, err := f.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			if _, again := f.Next(); again != err {
				return all, fmt.Errorf("Next after an error: %v, want the same error", again)
			}
			return all, err
		}
		all = append(all, cp)
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	file := export(t, Header{ExportedAt: day}, samples())
	for name, r := range map[string]io.Reader{
		"whole":       bytes.NewReader(file),
		"byte a read": iotest.OneByteReader(bytes.NewReader(file)),
		"data error":  iotest.DataErrReader(bytes.NewReader(file)),
	} {
		got, err := readAll(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, want := range samples() {
			if i >= len(got) || !reflect.DeepEqual(got[i], want) {
				t.Errorf("%s: checkpoint %d differs: version %d of %q", name, i, want.Version, want.Thread)
			}
		}
		if len(got) != len(samples()) {
			t.Errorf("%s: %d checkpoints, want %d", name, len(got), len(samples()))
		}
	}
}

// TestGoldenFile keeps files of version 1 readable, and the format as it is.
func TestGoldenFile(t *testing.T) {
	t.Parallel()
	file := export(t, Header{ExportedAt: day}, samples())
	if *update {
		if err := os.WriteFile(golden, file, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, want) {
		t.Errorf("the samples make another file than %s: the format has changed and needs a new version", golden)
	}
	got, err := readAll(bytes.NewReader(want))
	if err != nil || !reflect.DeepEqual(got, samples()) {
		t.Errorf("%s: read %d checkpoints with the error %v, want the %d samples", golden, len(got), err, len(samples()))
	}
}

func TestPayloadsAreReadableWhereTheyCan(t *testing.T) {
	t.Parallel()
	lines := strings.Split(string(export(t, Header{ExportedAt: day}, samples())), "\n")
	for i, wantState := range []bool{true, true, false, false, true, false, false, false, false, false, true, true} {
		if got := strings.Contains(lines[i+1], `,"state":`); got != wantState {
			t.Errorf("line %d has a state: %v, want %v", i+2, got, wantState)
		}
	}
}

// TestDamage breaks a file in every way that happens to files, and wants it found
// at its line, with everything before it read.
func TestDamage(t *testing.T) {
	t.Parallel()
	const edited = "the checksum does not fit: this line was edited, or lines before it were removed, repeated or moved"
	whole := strings.SplitAfter(strings.TrimSuffix(string(export(t, Header{Namespace: "agents", ExportedAt: day}, samples()[:6])), "\n"), "\n")
	last := len(whole) - 1
	whole[last] += "\n"
	for _, test := range []struct {
		name string
		file func(l []string) []string
		read int
		want string
	}{
		{"empty", func(l []string) []string { return nil }, 0, "line 1: the file is empty"},
		{"another file", func(l []string) []string { return []string{"{\"a\":1}\n"} }, 0, "line 1: this is no file of checkpoint export"},
		{"compressed", func(l []string) []string { return []string{"\x1f\x8b\x08\x00\x00"} }, 0, "line 1: this is no file of checkpoint export"},
		{"header edited", func(l []string) []string { l[0] = strings.Replace(l[0], "agents", "agentz", 1); return l }, 0, "line 1: " + edited},
		{"header removed", func(l []string) []string { return l[1:] }, 0, "line 1: this is no file of checkpoint export"},
		{"state edited", func(l []string) []string { l[3] = strings.Replace(l[3], "payload", "paylord", 1); return l }, 2, "line 4: " + edited},
		{"sum edited", func(l []string) []string { l[3] = l[3][:len(l[3])-4] + "z\"}\n"; return l }, 2, "line 4: " + edited},
		{"line removed", func(l []string) []string { return append(l[:2:2], l[3:]...) }, 1, "line 3: " + edited},
		{"line repeated", func(l []string) []string { return append(l[:3:3], l[2:]...) }, 2, "line 4: " + edited},
		{"lines exchanged", func(l []string) []string { l[3], l[4] = l[4], l[3]; return l }, 2, "line 4: " + edited},
		{"blank line", func(l []string) []string { return append(append(l[:3:3], "\n"), l[3:]...) }, 2, "line 4: the line has no checksum"},
		{"carriage returns", func(l []string) []string { l[1] = strings.Replace(l[1], "\n", "\r\n", 1); return l }, 0, "line 2: " + edited},
		{"cut between lines", func(l []string) []string { return l[:4] }, 3, "line 5: the file ends before this line and was cut off: its last line is missing"},
		{"cut in a line", func(l []string) []string { l[3] = l[3][:20]; return l[:4] }, 2, "line 4: the file was cut off in this line"},
		{"cut before the last line end", func(l []string) []string { l[last] = strings.TrimSuffix(l[last], "\n"); return l }, 6, fmt.Sprintf("line %d: the file was cut off in this line", last+1)},
		{"only the header", func(l []string) []string { return l[:1] }, 0, "line 2: the file ends before this line and was cut off: its last line is missing"},
		{"more after the end", func(l []string) []string { return append(l, "\n") }, 6, fmt.Sprintf("line %d: there is more after the end of the export", last+2)},
		{"two files", func(l []string) []string { return append(l, l...) }, 6, fmt.Sprintf("line %d: there is more after the end of the export", last+2)},
	} {
		file := strings.Join(test.file(append([]string(nil), whole...)), "")
		got, err := readAll(strings.NewReader(file))
		if len(got) != test.read || err == nil || err.Error() != test.want {
			t.Errorf("%s: read %d checkpoints, error %v; want %d, %s", test.name, len(got), err, test.read, test.want)
		}
		if !errors.As(err, new(*LineError)) {
			t.Errorf("%s: the error is a %T, want a *LineError", test.name, err)
		}
	}
}

// TestEveryByteCounts cuts the file at every byte, and flips every byte.
func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	file := export(t, Header{ExportedAt: day}, samples()[:3])
	for i := range file {
		if _, err := readAll(bytes.NewReader(file[:i])); err == nil {
			t.Errorf("cut at byte %d of %d: no error", i, len(file))
		}
		broken := bytes.Clone(file)
		broken[i] ^= 1
		if _, err := readAll(bytes.NewReader(broken)); err == nil {
			t.Errorf("byte %d of %d changed: no error", i, len(file))
		}
	}
}

// resum makes the sums of a file anew, as somebody would who edits on purpose.
func resum(lines ...string) string {
	var c chain
	var b strings.Builder
	for _, line := range lines {
		line = strings.TrimSuffix(line, "}")
		b.WriteString(line)
		b.Write(c.next([]byte(line)))
		b.WriteByte('\n')
	}
	return b.String()
}

// TestForged gives the reader lines whose sums are right and whose contents no
// writer made.
func TestForged(t *testing.T) {
	t.Parallel()
	const (
		header = `{"checkpoint_export":1,"exported_at":"2026-01-02T03:04:05Z"}`
		good   = `{"namespace":"agents","thread":"a","version":2,"id":"x","encoding":"json","created_at":"2026-01-02T03:04:05Z","saved_at":"2026-01-02T03:04:05Z","state":1}`
		end    = `{"end":{"threads":1,"checkpoints":1,"bytes":1}}`
	)
	if got, err := readAll(strings.NewReader(resum(header, good, end))); err != nil || len(got) != 1 {
		t.Fatalf("the good file: %d checkpoints, %v", len(got), err)
	}
	with := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for _, test := range []struct{ name, file, want string }{
		{"newer version", resum(`{"checkpoint_export":2,"exported_at":"2026-01-02T03:04:05Z","more":1}`), "line 1: the file has version 2 of the format, and this program reads version 1; use a newer checkpoint"},
		{"no version", resum(`{"checkpoint_export":0,"exported_at":"2026-01-02T03:04:05Z"}`), "line 1: this is no file of checkpoint export"},
		{"header with more", resum(`{"checkpoint_export":1,"more":1}`), "line 1: the header is not of the format"},
		{"unknown member", resum(header, with(`"id"`, `"what":1,"id"`)), "line 2: the line is not of the format"},
		{"no payload", resum(header, with(`,"state":1`, ``)), "line 2: the line needs a state or a payload"},
		{"both", resum(header, with(`"state"`, `"payload":"","state"`)), "line 2: the line needs a state or a payload"},
		{"no base64", resum(header, with(`"state":1`, `"payload":"*"`)), "line 2: the line is not of the format"},
		{"state that is not json", resum(header, with(`"encoding":"json"`, `"encoding":"bytes"`)), `line 2: a payload of the encoding "bytes" cannot be a JSON value`},
		{"empty thread", resum(header, with(`"thread":"a"`, `"thread":""`)), "line 2: invalid thread name: it is empty"},
		{"bad namespace", resum(header, with(`"namespace":"agents"`, `"namespace":"a/b"`)), `line 2: invalid namespace "a/b": only A-Z a-z 0-9 . _ - are allowed`},
		{"version 0", resum(header, with(`"version":2`, `"version":0`)), "line 2: version 0 is not from 1 to 9007199254740992"},
		{"no id", resum(header, with(`"id":"x"`, `"id":""`)), "line 2: the id or the encoding is not made of printable ASCII characters"},
		{"time missing", resum(header, with(`"saved_at":"2026-01-02T03:04:05Z",`, ``)), "line 2: a time is missing"},
		{"year", resum(header, with(`"saved_at":"2026`, `"saved_at":"1026`)), "line 2: the year 1026 is not from 1970 to 9999"},
		{"version twice", resum(header, good, good), `line 3: version 2 of the thread "a" comes after version 2`},
		{"older version later", resum(header, good, with(`"version":2`, `"version":1`)), `line 3: version 1 of the thread "a" comes after version 2`},
		{"thread out of order", resum(header, with(`"thread":"a"`, `"thread":"b"`), good), `line 3: the thread "a" comes after "b", which sorts behind it`},
		{"another namespace", resum(`{"checkpoint_export":1,"namespace":"other","exported_at":"2026-01-02T03:04:05Z"}`, good), `line 2: the namespace "agents" is not the header's`},
		{"wrong counts", resum(header, good, `{"end":{"threads":1,"checkpoints":2,"bytes":1}}`), "line 3: the last line counts 1 threads, 2 checkpoints and 1 bytes, and there were 1, 1 and 1"},
		{"end of nothing", resum(header, good, `{"end":null}`), "line 3: the last line is not of the format"},
	} {
		if _, err := readAll(strings.NewReader(test.file)); err == nil || err.Error() != test.want {
			t.Errorf("%s: error %v, want %s", test.name, err, test.want)
		}
	}
}

func TestLineTooLong(t *testing.T) {
	t.Parallel()
	file := export(t, Header{ExportedAt: day}, []driver.Checkpoint{sample("agents", "a", 1, "bytes", strings.Repeat("x", 100_000))})
	f, err := NewReader(bytes.NewReader(file), 1000)
	if err != nil {
		t.Fatal(err)
	}
	const want = "line 2: the line is longer than 66872 bytes: a state in it is larger than the store takes (raise it with max_state_size in the store's URL)"
	if _, err := f.Next(); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestReadError(t *testing.T) {
	t.Parallel()
	file := export(t, Header{ExportedAt: day}, samples())
	broken := errors.New("disk on fire")
	for _, n := range []int{0, 10, 500} {
		_, err := readAll(io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("reading fails after %d bytes: error %v, want %v", n, err, broken)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		cps  []driver.Checkpoint
		want string
	}{
		{"versions out of order", []driver.Checkpoint{sample("agents", "a", 2, "json", "1"), sample("agents", "a", 1, "json", "1")}, `version 1 of the thread "a" comes after version 2`},
		{"threads out of order", []driver.Checkpoint{sample("agents", "b", 2, "json", "1"), sample("agents", "a", 1, "json", "1")}, `the thread "a" comes after "b", which sorts behind it`},
		{"what no reader takes", []driver.Checkpoint{sample("agents", "a", 0, "json", "1")}, `version 0 of the thread "a": version 0 is not from 1 to 9007199254740992`},
	} {
		w, err := NewWriter(io.Discard, Header{})
		if err != nil {
			t.Fatal(err)
		}
		for _, cp := range test.cps {
			err = w.Write(cp)
		}
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: error %v, want %s", test.name, err, test.want)
		}
	}
}

// FuzzReader gives the reader anything. What it accepts must come out of the
// writer and be read again as the same.
func FuzzReader(f *testing.F) {
	f.Add(export(f, Header{ExportedAt: day}, samples()[:4]))
	f.Add(export(f, Header{Namespace: "agents", ExportedAt: day}, nil))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		// A fuzzer makes no sums; make those of its lines right.
		var lines []string
		for line := range strings.Lines(string(file)) {
			line = strings.TrimSuffix(line, "\n")
			if len(line) > tailSize {
				line = line[:len(line)-tailSize]
			}
			lines = append(lines, line)
		}
		for _, input := range []string{string(file), resum(lines...)} {
			first, err := readAll(strings.NewReader(input))
			if err != nil {
				continue
			}
			again, err := readAll(bytes.NewReader(export(t, Header{ExportedAt: day}, first)))
			if err != nil || !reflect.DeepEqual(again, first) {
				t.Fatalf("what was read and written again is not the same: %v", err)
			}
		}
	})
}
