package driver

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// A Key names a thread: one conversation or workflow in one namespace.
type Key struct {
	Namespace string // 1 to 128 of A-Z a-z 0-9 . _ -
	Thread    string // 1 to 512 bytes of UTF-8 without NUL
}

// Info describes a checkpoint: everything but its payload.
type Info struct {
	Key
	ID        string            // opaque, unique to one save
	Version   int64             // 1 for a thread's first checkpoint, then +1 a save; at most MaxVersion
	Size      int               // bytes of the payload as it was handed to the backend
	Encoding  string            // what the payload is: "json", "bytes", a codec's name, with "+step" for what was applied after
	Base      int64             // the version of the whole state that this one's patch builds on; 0: this one is whole
	Metadata  map[string]string // nil when there is none
	CreatedAt time.Time         // the first save of the thread's present life
	SavedAt   time.Time         // this save
	ExpiresAt time.Time         // the zero time: never
}

// Expired reports whether the checkpoint's time was over at now.
func (i Info) Expired(now time.Time) bool {
	return !i.ExpiresAt.IsZero() && !now.Before(i.ExpiresAt)
}

// A Checkpoint is one saved state of a thread.
//
// It prints and logs without its payload.
type Checkpoint struct {
	Info
	Payload []byte
	Digest  string // as it was saved; "" from a backend that is no [Patcher]
	Links   []Link // from Load of a patched version: what it needs; see [Patcher]
	Known   bool   // from Load: it is the Known one of the request, and comes without Payload and Links
}

// Format implements fmt.Formatter: the payload is shown by its length only.
func (c Checkpoint) Format(f fmt.State, verb rune) { formatPayload(f, c.Info, len(c.Payload)) }

// LogValue implements slog.LogValuer: the payload is shown by its length only.
func (c Checkpoint) LogValue() slog.Value { return logPayload(c.Key, c.ID, c.Encoding, len(c.Payload)) }

// A SaveRequest asks for one save.
//
// It prints and logs without its payload.
type SaveRequest struct {
	Key
	ID        string // opaque, unique to this save, at most 64 printable ASCII bytes
	Payload   []byte // not to be changed or kept after Save has returned
	Encoding  string
	Digest    string            // only for a [Patcher]: proves the payload's bytes, at most 64 printable ASCII bytes; "" for none
	Metadata  map[string]string // not to be changed or kept after Save has returned
	Now       time.Time
	ExpiresAt time.Time // the zero time: never
	Keep      int       // newest versions to keep, this one included; at least 1
	Match     Match     // the zero value: unconditional
}

// Format implements fmt.Formatter: the payload is shown by its length only.
func (r SaveRequest) Format(f fmt.State, verb rune) {
	formatPayload(f, Info{Key: r.Key, ID: r.ID, Encoding: r.Encoding, Metadata: r.Metadata, SavedAt: r.Now, ExpiresAt: r.ExpiresAt}, len(r.Payload))
}

// LogValue implements slog.LogValuer: the payload is shown by its length only.
func (r SaveRequest) LogValue() slog.Value {
	return logPayload(r.Key, r.ID, r.Encoding, len(r.Payload))
}

// Match is the condition of a save or a deletion; at most one of its fields is
// set. It MUST be decided by the database in the same step as the write: of any
// number of concurrent saves on one ID or Version exactly one succeeds. A thread
// that was deleted, or expired, and was created again MUST NOT match an id of
// its former life. An id that is kept no more may be saved anew, and a condition on
// it then holds again: where the first attempt of a write may have been applied, a
// backend MUST NOT send it a second time on that condition alone. Where a condition
// does not hold, the answer is a *ConflictError, whose Current is the thread at a
// moment when it did not.
type Match struct {
	Absent  bool   // the thread does not exist; for saves alone
	Exists  bool   // the thread exists
	ID      string // the latest checkpoint has this id; an absent thread is a conflict
	Version int64  // the latest checkpoint has this version, 1 or more; an absent thread is a conflict
}

// Holds reports whether the condition holds for the thread whose latest
// checkpoint is current; the zero Info is an absent thread.
func (m Match) Holds(current Info) bool {
	exists := current.Version != 0
	switch {
	case m.Absent:
		return !exists
	case m.Exists:
		return exists
	case m.ID != "":
		return exists && current.ID == m.ID
	case m.Version != 0:
		return current.Version == m.Version
	}
	return true
}

// A DeleteRequest asks for a thread to be removed.
type DeleteRequest struct {
	Key
	Match Match     // the zero value: unconditional
	Now   time.Time // by which the thread may have expired, which Match takes as absent
}

// A LoadRequest asks for one checkpoint.
type LoadRequest struct {
	Key
	Version int64 // 0: the latest
	Now     time.Time

	// Known is a version of which the caller has the state; the zero value is none. Where
	// the version to load has this id and this digest, a [Patcher] may leave out the
	// payload and what it builds on, and says so by Checkpoint.Known.
	Known Previous
}

// A ListRequest asks for the threads of a namespace.
type ListRequest struct {
	Namespace string
	Prefix    string // a byte string, not a pattern; "" for every thread
	After     string // a byte string; only names greater than it
	Limit     int    // 0: all
	Now       time.Time
}

// A HistoryRequest asks for the versions of a thread.
type HistoryRequest struct {
	Key
	Before int64 // 0: from the latest
	Limit  int   // 0: all
	Now    time.Time
}

func formatPayload(w io.Writer, i Info, n int) {
	fmt.Fprintf(w, "{%q %q id=%s version=%d encoding=%s metadata=%q payload=(%d bytes)}",
		i.Namespace, i.Thread, i.ID, i.Version, i.Encoding, i.Metadata, n)
}

func logPayload(k Key, id, encoding string, n int) slog.Value {
	return slog.GroupValue(
		slog.String("namespace", k.Namespace), slog.String("thread", k.Thread),
		slog.String("id", id), slog.String("encoding", encoding), slog.Int("bytes", n))
}
