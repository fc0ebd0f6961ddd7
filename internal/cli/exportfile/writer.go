package exportfile

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-ckpt/checkpoint/driver"
)

// A Writer writes a file. Memory is bounded by the largest payload.
type Writer struct {
	w     *bufio.Writer
	chain chain
	order order
	line  []byte
}

// NewWriter writes the header to w.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	f := &Writer{w: bufio.NewWriterSize(w, 1<<16)}
	return f, f.put(headerLine{Version: Version, Namespace: h.Namespace, ExportedAt: h.ExportedAt.UTC()})
}

// Write writes a checkpoint. The threads must come in ascending order of
// namespace and name, the versions of each in ascending order.
func (f *Writer) Write(cp driver.Checkpoint) error {
	if err := check(cp); err != nil {
		return fmt.Errorf("version %d of the thread %q: %w", cp.Version, cp.Thread, err)
	}
	if err := f.order.add(cp); err != nil {
		return err
	}
	info, err := marshal(infoLine{
		cp.Namespace, cp.Thread, cp.Version, cp.ID, cp.Encoding,
		cp.CreatedAt.UTC(), cp.SavedAt.UTC(), cp.ExpiresAt.UTC(), cp.Metadata,
	})
	if err != nil {
		return fmt.Errorf("version %d of the thread %q: what is known of it cannot be written", cp.Version, cp.Thread)
	}
	info = info[:len(info)-1] // less the brace
	f.line = append(f.line[:0], info...)
	f.line = append(f.line, `,"state":`...)
	f.line = append(f.line, cp.Payload...)
	if !embeds(cp) || !json.Valid(append(f.line, '}')) {
		f.line = append(f.line[:0], info...)
		f.line = append(f.line, `,"payload":"`...)
		f.line = base64.StdEncoding.AppendEncode(f.line, cp.Payload)
		f.line = append(f.line, '"')
	}
	return f.end(f.line)
}

// embeds reports whether a payload can stand in a line and be found there again
// byte for byte, if it is JSON.
func embeds(cp driver.Checkpoint) bool {
	p := cp.Payload
	return cp.Encoding == "json" && len(p) > 0 && utf8.Valid(p) && !bytes.ContainsAny(p, "\n\r") && len(bytes.TrimSpace(p)) == len(p)
}

// Counts returns what was written so far.
func (f *Writer) Counts() Counts { return f.order.counts }

// Close writes the footer, without which no reader takes the file for whole. It
// does not close the underlying writer.
func (f *Writer) Close() error {
	if err := f.put(footerLine{End: &f.order.counts}); err != nil {
		return err
	}
	return f.w.Flush()
}

// put writes a line that is v.
func (f *Writer) put(v any) error {
	body, err := marshal(v)
	if err != nil {
		return err
	}
	return f.end(body[:len(body)-1])
}

// end writes a line and its sum.
func (f *Writer) end(body []byte) error {
	f.w.Write(body)
	f.w.Write(f.chain.next(body))
	return f.w.WriteByte('\n') // a bufio.Writer keeps its first error
}

// marshal is json.Marshal without the escapes that only HTML needs.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), err
}
