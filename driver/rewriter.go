package driver

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Rewriter is implemented by backends that can exchange a stored payload for
// another form of the same state, which a change of encryption keys needs.
// checkpoint.Rekey needs it.
//
// The suite's cases are named Rewrite.
type Rewriter interface {
	// Rewrite replaces payload, encoding and size of the version of the live
	// thread that has the given number and id; nothing else of the thread
	// changes, neither its id and times nor its history. It MUST be atomic: a
	// Load meanwhile returns the old payload or the new one. ErrNotFound, and no
	// change, when the live thread does not keep such a version, or is in another
	// life than the request says.
	Rewrite(ctx context.Context, req RewriteRequest) error
}

// A RewriteRequest asks for one payload to be replaced.
//
// It prints and logs without its payload.
type RewriteRequest struct {
	Key
	Version  int64
	ID       string
	Payload  []byte
	Encoding string
	Digest   string // only for a [Patcher]: that of the new payload, or "" for none
	Now      time.Time

	// CreatedAt is that of the thread's latest version, which a later life does not
	// have, though it may have the same numbers and ids; the zero time: any.
	CreatedAt time.Time
}

// Holds reports whether the request is about the life of the thread whose latest
// checkpoint is current.
func (r RewriteRequest) Holds(current Info) bool {
	return r.CreatedAt.IsZero() || r.CreatedAt.Equal(current.CreatedAt)
}

// Format implements fmt.Formatter: the payload is shown by its length only.
func (r RewriteRequest) Format(f fmt.State, verb rune) {
	formatPayload(f, Info{Key: r.Key, ID: r.ID, Version: r.Version, Encoding: r.Encoding}, len(r.Payload))
}

// LogValue implements slog.LogValuer: the payload is shown by its length only.
func (r RewriteRequest) LogValue() slog.Value {
	return logPayload(r.Key, r.ID, r.Encoding, len(r.Payload))
}
