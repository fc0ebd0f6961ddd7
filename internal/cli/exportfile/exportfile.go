// Package exportfile reads and writes the file of "checkpoint export": every
// checkpoint of a store, its payload byte for byte as it is stored, in JSON
// Lines.
//
// # The format, version 1
//
// A file is UTF-8. Every line is one JSON object and ends in a single line feed.
// The members of an object stand in the order given here, without white space
// between them.
//
// The first line is the header. The namespace is missing when the file has
// those of all namespaces.
//
//	{"checkpoint_export":1,"namespace":"agents","exported_at":"2026-01-02T15:04:05.123456Z","sum":"…"}
//
// Then there is a line for each checkpoint: the threads in ascending byte order
// of namespace and name, and of each thread the oldest version first.
//
//	{"namespace":"agents","thread":"user-123","version":3,"id":"…","encoding":"json",
//	 "created_at":"…","saved_at":"…","expires_at":"…","metadata":{"k":"v"},"state":{"step":3},"sum":"…"}
//
// (one line in the file). Times are RFC 3339 in UTC; expires_at is missing when
// the thread never expires, and metadata when there is none. The payload is
// "state" when the encoding is "json": the bytes between this member's colon and
// the comma before "sum" are the payload. Payloads of other encodings, and JSON
// that would not survive there (with line ends, for example), are "payload"
// instead: standard base64 with padding.
//
// The last line is the footer, which counts the threads, the checkpoints and the
// bytes of their payloads. A file without it is not whole.
//
//	{"end":{"threads":1,"checkpoints":3,"bytes":1024},"sum":"…"}
//
// Every line ends in a sum: 32 lower-case hexadecimal digits, the first 16 bytes
// of the SHA-256 of the previous line's 16 bytes (none for the header) and this
// line's text up to and without the comma before "sum". The sums are chained, so
// that a line that was edited, moved, repeated or removed is found where it is.
// They are no signature: an edited file can be given new ones.
package exportfile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// Version is the version of the format that this package writes, and the only
// one that it reads.
const Version = 1

// A Header is what the first line says.
type Header struct {
	Namespace  string // "": all namespaces
	ExportedAt time.Time
}

// Counts are what the last line says.
type Counts struct {
	Threads     int64 `json:"threads"`
	Checkpoints int64 `json:"checkpoints"`
	Bytes       int64 `json:"bytes"` // of payloads
}

// A LineError says at which line a file breaks.
type LineError struct {
	Line int64 // from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns e.Err.
func (e *LineError) Unwrap() error { return e.Err }

// The lines as JSON.
type (
	headerLine struct {
		Version    int       `json:"checkpoint_export"`
		Namespace  string    `json:"namespace,omitempty"`
		ExportedAt time.Time `json:"exported_at"`
		Sum        string    `json:"sum,omitempty"`
	}
	infoLine struct {
		Namespace string            `json:"namespace"`
		Thread    string            `json:"thread"`
		Version   int64             `json:"version"`
		ID        string            `json:"id"`
		Encoding  string            `json:"encoding"`
		CreatedAt time.Time         `json:"created_at"`
		SavedAt   time.Time         `json:"saved_at"`
		ExpiresAt time.Time         `json:"expires_at,omitzero"`
		Metadata  map[string]string `json:"metadata,omitempty"`
	}
	checkpointLine struct {
		infoLine
		State   json.RawMessage `json:"state"`
		Payload *[]byte         `json:"payload"`
		Sum     string          `json:"sum"`
	}
	footerLine struct {
		End *Counts `json:"end"`
		Sum string  `json:"sum,omitempty"`
	}
)

// footerStart is how the last line, and no other, begins.
const footerStart = `{"end":`

// The sums.
const (
	sumSize  = 16
	sumStart = `,"sum":"`
	sumEnd   = `"}`
	tailSize = len(sumStart) + 2*sumSize + len(sumEnd)
)

// A chain makes the sums of one line after the other.
type chain struct {
	last    [sumSize]byte
	started bool
}

// next returns the tail of the line whose text is body: its sum and its end.
func (c *chain) next(body []byte) []byte {
	h := sha256.New()
	if c.started {
		h.Write(c.last[:])
	}
	h.Write(body)
	copy(c.last[:], h.Sum(nil))
	c.started = true
	tail := append(make([]byte, 0, tailSize), sumStart...)
	tail = hex.AppendEncode(tail, c.last[:])
	return append(tail, sumEnd...)
}

// An order checks that checkpoints come in the order of the format and counts
// them.
type order struct {
	counts Counts
	last   driver.Key
	number int64 // version of the last one
}

func (o *order) add(cp driver.Checkpoint) error {
	switch {
	case cp.Key == o.last:
		if cp.Version <= o.number {
			return fmt.Errorf("version %d of the thread %q comes after version %d", cp.Version, cp.Thread, o.number)
		}
	case cp.Namespace < o.last.Namespace || cp.Namespace == o.last.Namespace && cp.Thread < o.last.Thread:
		return fmt.Errorf("the thread %q comes after %q, which sorts behind it", cp.Thread, o.last.Thread)
	default:
		o.counts.Threads++
	}
	o.last, o.number = cp.Key, cp.Version
	o.counts.Checkpoints++
	o.counts.Bytes += int64(len(cp.Payload))
	return nil
}
