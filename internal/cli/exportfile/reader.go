package exportfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/names"
)

// A Reader reads a file and finds the line where it breaks. Its errors are
// [LineError] values, and hold no state.
type Reader struct {
	r       *bufio.Reader
	header  Header
	maxLine int
	chain   chain
	order   order
	number  int64 // of the line read last
	line    []byte
	err     error
}

// overhead is what a line may hold besides its payload: names and metadata at
// their limits, with every character escaped.
const overhead = 64 << 10

// NewReader reads the header. A payload may have up to maxPayload bytes.
func NewReader(r io.Reader, maxPayload int) (*Reader, error) {
	f := &Reader{r: bufio.NewReaderSize(r, 1<<16), maxLine: maxPayload/3*4 + 4 + overhead}
	body, err := f.next()
	if err != nil {
		if len(f.line) > 0 && f.number == 1 && !bytes.HasPrefix(f.line, []byte(`{"checkpoint_export":`)) && !errors.Is(err, errRead) {
			err = f.fail("this is no file of checkpoint export")
		}
		return nil, err
	}
	var h headerLine
	if err := json.Unmarshal(body, &h); err != nil || h.Version < 1 {
		return nil, f.fail("this is no file of checkpoint export")
	}
	if h.Version != Version {
		return nil, f.fail("the file has version %d of the format, and this program reads version %d; use a newer checkpoint", h.Version, Version)
	}
	if err := strict(body, &h); err != nil || h.Namespace != "" && names.CheckNamespace(h.Namespace) != nil {
		return nil, f.fail("the header is not of the format")
	}
	f.header = Header{h.Namespace, h.ExportedAt}
	return f, nil
}

// Header returns what the first line says.
func (f *Reader) Header() Header { return f.header }

// Line returns the number of the line that was read last.
func (f *Reader) Line() int64 { return f.number }

// Counts returns what was read so far.
func (f *Reader) Counts() Counts { return f.order.counts }

// Next returns the next checkpoint, or io.EOF when the file has ended as it
// should. The payload is the caller's. After an error Next returns it again.
func (f *Reader) Next() (driver.Checkpoint, error) {
	if f.err != nil {
		return driver.Checkpoint{}, f.err
	}
	cp, err := f.read()
	f.err = err
	return cp, err
}

func (f *Reader) read() (driver.Checkpoint, error) {
	body, err := f.next()
	if err == io.EOF {
		f.number++
		err = f.fail("the file ends before this line and was cut off: its last line is missing")
	}
	if err != nil {
		return driver.Checkpoint{}, err
	}
	if bytes.HasPrefix(body, []byte(footerStart)) {
		return driver.Checkpoint{}, f.footer(body)
	}
	var line checkpointLine
	if err := strict(body, &line); err != nil {
		return driver.Checkpoint{}, f.fail("the line is not of the format")
	}
	cp, err := line.checkpoint()
	if err == nil && f.header.Namespace != "" && cp.Namespace != f.header.Namespace {
		err = fmt.Errorf("the namespace %q is not the header's", cp.Namespace)
	}
	if err == nil {
		err = f.order.add(cp)
	}
	if err != nil {
		return driver.Checkpoint{}, f.fail("%w", err)
	}
	return cp, nil
}

// footer checks the last line and that nothing follows.
func (f *Reader) footer(body []byte) error {
	var line footerLine
	if err := strict(body, &line); err != nil || line.End == nil {
		return f.fail("the last line is not of the format")
	}
	if *line.End != f.order.counts {
		return f.fail("the last line counts %d threads, %d checkpoints and %d bytes, and there were %d, %d and %d",
			line.End.Threads, line.End.Checkpoints, line.End.Bytes, f.order.counts.Threads, f.order.counts.Checkpoints, f.order.counts.Bytes)
	}
	if _, err := f.r.ReadByte(); err != io.EOF {
		f.number++
		if err != nil {
			return f.fail("%w: %w", errRead, err)
		}
		return f.fail("there is more after the end of the export")
	}
	return io.EOF
}

// errRead is an error of the underlying reader.
var errRead = errors.New("reading failed")

// next returns the next line without its line end, with its sum checked. The
// line is valid until the next call.
func (f *Reader) next() ([]byte, error) {
	f.line = f.line[:0]
	for {
		part, err := f.r.ReadSlice('\n')
		if len(part) > 0 && len(f.line) == 0 {
			f.number++
		}
		f.line = append(f.line, part...)
		if len(f.line) > f.maxLine {
			return nil, f.fail("the line is longer than %d bytes: a state in it is larger than the store takes (raise it with max_state_size in the store's URL)", f.maxLine)
		}
		if err == nil {
			break
		}
		switch {
		case err == bufio.ErrBufferFull:
		case err != io.EOF:
			f.number = max(f.number, 1)
			return nil, f.fail("%w: %w", errRead, err)
		case len(f.line) == 0 && f.number > 0:
			return nil, io.EOF
		case len(f.line) == 0:
			f.number = 1
			return nil, f.fail("the file is empty")
		default:
			return nil, f.fail("the file was cut off in this line")
		}
	}
	line := f.line[:len(f.line)-1]
	if len(line) < tailSize {
		return nil, f.fail("the line has no checksum")
	}
	body, tail := line[:len(line)-tailSize], line[len(line)-tailSize:]
	if !bytes.Equal(tail, f.chain.next(body)) {
		return nil, f.fail("the checksum does not fit: this line was edited, or lines before it were removed, repeated or moved")
	}
	return line, nil
}

func (f *Reader) fail(format string, args ...any) error {
	return &LineError{f.number, fmt.Errorf(format, args...)}
}

// strict decodes a line that must have no unknown members.
func strict(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// checkpoint returns what a line holds, if a store could have held it.
func (l *checkpointLine) checkpoint() (driver.Checkpoint, error) {
	cp := driver.Checkpoint{
		Info: driver.Info{
			Key:       driver.Key{Namespace: l.Namespace, Thread: l.Thread},
			ID:        l.ID,
			Version:   l.Version,
			Encoding:  l.Encoding,
			Metadata:  l.Metadata,
			CreatedAt: micros(l.CreatedAt),
			SavedAt:   micros(l.SavedAt),
			ExpiresAt: micros(l.ExpiresAt),
		},
		Payload: l.State,
	}
	switch {
	case (l.State == nil) == (l.Payload == nil):
		return cp, errors.New("the line needs a state or a payload")
	case l.Payload != nil:
		cp.Payload = *l.Payload
	case l.Encoding != "json":
		return cp, fmt.Errorf("a payload of the encoding %q cannot be a JSON value", l.Encoding)
	}
	if cp.Payload == nil {
		cp.Payload = []byte{}
	}
	cp.Size = len(cp.Payload)
	return cp, check(cp)
}

// firstYear and lastYear are those that a store can have saved in, and that RFC
// 3339 can write.
const firstYear, lastYear = 1970, 9999

// check returns an error unless cp is what a store can hold.
func check(cp driver.Checkpoint) error {
	if err := names.CheckNamespace(cp.Namespace); err != nil {
		return err
	}
	if err := names.CheckThread(cp.Thread); err != nil {
		return err
	}
	if err := names.CheckMetadata(cp.Metadata); err != nil {
		return err
	}
	if cp.Version < 1 || cp.Version > driver.MaxVersion {
		return fmt.Errorf("version %d is not from 1 to %d", cp.Version, int64(driver.MaxVersion))
	}
	if !printable(cp.ID, 128) || !printable(cp.Encoding, 256) {
		return errors.New("the id or the encoding is not made of printable ASCII characters")
	}
	for _, t := range []time.Time{cp.CreatedAt, cp.SavedAt, cp.ExpiresAt} {
		if y := t.Year(); (y < firstYear || y > lastYear) && !t.IsZero() {
			return fmt.Errorf("the year %d is not from %d to %d", y, firstYear, lastYear)
		}
	}
	if cp.CreatedAt.IsZero() || cp.SavedAt.IsZero() {
		return errors.New("a time is missing")
	}
	return nil
}

func micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func printable(s string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
