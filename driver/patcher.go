package driver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// Patcher is implemented by backends that keep a state as what changed since the
// version before. Without it package checkpoint stores every state whole.
//
// # Chains
//
// A patched version is one whose Info.Base is not 0. Its payload is a patch against
// the version before it, and Base is the version of the whole state that the chain
// of patches begins with; the versions from Base to this one are all needed to read
// it. Package checkpoint makes the patches, applies them and checks the result. To a
// backend a patch is a payload like any other: it keeps Base beside it, keeps what a
// kept version needs, and brings it along with a load. A version is at most
// [MaxChain] versions from its Base, and Base never gets lower from one version to
// the next.
//
// # What implementing it asks of the other methods
//
// Save keeps the Digest of its request, if there is one, beside the payload, and such
// a payload MUST come back byte for byte, whatever its encoding: patches are made
// against it. So MUST the payload of a patch. A Save without a Digest is as ever, and
// no patch is ever made against it.
//
// Load of a patched version MUST return in Checkpoint.Links what is stored of the
// versions from Base to the one before it, in ascending order, taken at the same
// moment as the version itself; one round trip, or two requests where the database
// cannot do it in one. A link that is missing is left out, and no error: package
// checkpoint sees it. Of a whole version Links is empty.
//
// Load, History, List, Find and Versions report Info.Base, and Load the Digest.
// Versions does not bring links.
//
// Load whose request has Known MAY answer a version with both that id and that digest
// by its Info and Digest alone, with Checkpoint.Known. Any other version it MUST
// return as ever.
//
// Rule 6, history: visible are exactly the versions that it names, and nothing else
// is returned by Load, History, List, Find and Versions, recognised as a repeated
// save, or replaced by Import. The versions from the Base of the oldest visible
// version on stay in the database, invisible, until no visible version needs them;
// what lies lower MUST be dropped in the same step as the save. A version that was
// once invisible MUST stay so, also when Keep grows: the lowest visible version is
// therefore part of what is stored. Delete, expiry, DeletePrefix and Purge remove the
// invisible versions with the thread, in the same step, and a later life MUST NOT
// find them.
//
// Rewrite also finds invisible versions that a visible one needs, and replaces the
// Digest; it leaves Base as it is.
//
// Import is given whole versions without a Digest. It drops and keeps invisible
// versions as a Save does.
//
// The suite's cases are named Patches.
type Patcher interface {
	// SavePatch is Save of a patch. Whatever Save's contract says holds, in this
	// order: a repeated id is recognised; Match is decided; and then the live thread's
	// latest version MUST have both the id and the digest of req.Previous, and req.Base
	// MUST be its Base, or its version if it is whole, decided by the database in the
	// same step as the write: a save that is repeated after a deletion begins another
	// life with the same id and digest, in which versions are others. Otherwise the
	// error matches ErrBase, and nothing has changed. The new version's Base is
	// req.Base.
	//
	// A backend that repeats a save by itself MUST NOT report its own first attempt
	// as ErrBase, as with conflicts.
	SavePatch(ctx context.Context, req PatchRequest) (Info, error)
}

// MaxChain is how many versions a patched version is at most away from its Base.
const MaxChain = 64

// ErrBase: the thread's latest version is not the one that the patch was made
// against, or there is none. Package checkpoint answers it with a whole state and
// returns it to no application.
var ErrBase = errors.New("the patch was not made against the latest version")

// A PatchRequest asks for a patch to be saved as the next version.
//
// It prints and logs without its payload.
type PatchRequest struct {
	SaveRequest          // Payload is the patch; Digest is that of this payload and never empty
	Base        int64    // the version of the whole state
	Previous    Previous // what the patch was made against
}

// Previous names a version by its id and proves its bytes: an id alone does not,
// because a copy through a database that stores native JSON keeps ids and respells
// states. Neither is empty.
type Previous struct {
	ID     string
	Digest string
}

// Format implements fmt.Formatter: the payload is shown by its length only.
func (r PatchRequest) Format(f fmt.State, verb rune) {
	formatPayload(f, Info{Key: r.Key, ID: r.ID, Encoding: r.Encoding, Metadata: r.Metadata, SavedAt: r.Now, ExpiresAt: r.ExpiresAt, Base: r.Base}, len(r.Payload))
}

// LogValue implements slog.LogValuer: the payload is shown by its length only.
func (r PatchRequest) LogValue() slog.Value { return r.SaveRequest.LogValue() }

// A Link is a version that another one needs: the whole state that a chain begins
// with, or one of the patches after it.
//
// It prints and logs without its payload.
type Link struct {
	Version  int64
	ID       string
	Encoding string
	Base     int64 // 0: whole
	Payload  []byte
}

// Format implements fmt.Formatter: the payload is shown by its length only.
func (l Link) Format(f fmt.State, verb rune) {
	formatPayload(f, Info{ID: l.ID, Version: l.Version, Encoding: l.Encoding, Base: l.Base}, len(l.Payload))
}

// LogValue implements slog.LogValuer: the payload is shown by its length only.
func (l Link) LogValue() slog.Value { return logPayload(Key{}, l.ID, l.Encoding, len(l.Payload)) }
