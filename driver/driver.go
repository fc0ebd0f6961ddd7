// Package driver is the contract between package checkpoint and the databases
// it stores states in. Applications do not import it; they use package
// checkpoint and import a driver for its side effect.
//
// # Writing a driver
//
// Implement [Driver] and [Backend], add the optional interfaces the database
// can serve ([Purger], [Importer], [NamespaceLister], [Rewriter], [Finder],
// [VersionReader], [PrefixDeleter], [Patcher], [Collector], [Locator]; [Exampler] for the
// driver), register the driver from an init function with checkpoint.Register, and
// let the conformance suite judge it:
//
//	func TestConformance(t *testing.T) {
//		checkpointtest.Run(t, func(t testing.TB) driver.Backend { return open(t) })
//	}
//
// Package checkpoint does what every backend would otherwise repeat:
// validation of names, metadata and limits, encoding, compression and
// encryption, the clock, the arithmetic of expiry, the wrapping of errors,
// logging, and the checks for a closed store. A backend stores and fetches.
//
// # The rules
//
// The rules below are numbered; the suite's cases and the comments in this
// package refer to them by number.
//
// Rule 1, linearizability: after a Save returned success, every Load of that
// thread, on any handle of the same data, MUST return that checkpoint or a
// newer one. List alone MAY lag behind, and only in a database whose indexes
// do.
//
// Rule 2, atomicity: a Save MUST be there entirely or not at all: payload,
// version, metadata, history, index and expiry. A process or a server that
// dies at any point MUST leave the old checkpoint or the new one, and never a
// thread that is listed and cannot be loaded. The same holds for Delete, which
// MUST NOT remove versions of a thread that was created after it.
//
// Rule 3, at most once: see [Backend].Save.
//
// Rule 4, conditions: see [Match].
//
// Rule 5, expiry: from ExpiresAt on, measured by the Now of the request and
// never by the database's clock, a thread MUST be absent to Load, List,
// History and to conditions, whether or not the database has removed it, and
// the next save of it MUST be version 1 with a new CreatedAt. Each save sets
// the expiry of the whole thread; the ExpiresAt of an older version is what
// was recorded with it and has no effect.
//
// Rule 6, history: after a save exactly the newest min(Keep, version) versions
// MUST remain as long as Keep does not change, and never more than Keep.
//
// Rule 7, order: see [Backend].List.
//
// Rule 8, payloads: a payload whose Encoding is "json" MUST come back as the
// same JSON value: escaped U+0000 and lone surrogates, numbers to their last
// digit, nesting to 1,000. Key order, white space, duplicate keys and the
// spelling of numbers MAY change. A payload of any other encoding MUST come
// back byte for byte. An empty payload is a payload. Sizes up to 16 MiB and
// the few bytes that sealing adds MUST be stored; beyond what the database can
// hold Save MUST return [ErrTooLarge].
//
// Rule 9, names: a thread is 1 to 512 bytes of UTF-8 without NUL, and every
// other character in it is data. A namespace is 1 to 128 of A-Z a-z 0-9 . _ -.
// Metadata has at most 64 entries and 4 KiB, UTF-8 without NUL, no empty key.
// Requests that arrive at a backend keep these limits.
//
// Rule 10, namespaces: nothing a request carries MUST ever read, count, list
// or change anything in a namespace other than its own.
//
// Rule 11, errors: a backend returns the values of this package, wrapped or
// bare, so that errors.Is finds them. When the context ended, the error MUST
// match the context's and the call MUST return within a second of that moment,
// also when the network swallows every packet. A context that had ended before
// the call MUST mean that nothing happened. An unreachable, overloaded or
// failing-over database MUST be [ErrUnavailable], within 10 s where the
// context allows that long. What is stored and cannot be read MUST be
// [ErrCorrupt]. No error text MUST hold a password, a key or a payload.
//
// Rule 12, concurrency: a Backend MUST be safe for concurrent use, and MUST
// leave no goroutine behind after Close. See [Backend].Close.
package driver

import (
	"context"
	"iter"
	"math"
)

// KeepAll as the Keep of a request keeps every version.
const KeepAll = math.MaxInt

// MaxVersion is the highest version a thread can reach: 2^53, beyond which not
// every database counts exactly.
const MaxVersion = 1 << 53

// A Driver opens backends.
type Driver interface {
	// Open parses dsn and returns a backend for it. It MUST NOT do any I/O: no
	// connection, no file, no look-up. It MUST check the whole of dsn and
	// reject unknown and repeated words with an error that matches ErrInvalid,
	// names the word and the words allowed, and holds no secret.
	//
	// The words that package checkpoint owns (namespace, ttl, history,
	// max_state_size, compress, incremental) have been taken out of dsn. A dsn that begins
	// with the driver's name and a colon is a whole URL, and MUST be accepted:
	// so checkpoint.OpenURL hands it over. Package driver/dsn reads the words
	// and has the rules.
	Open(dsn string) (Backend, error)
}

// A Backend is an open connection, or a pool of them, to one database.
//
// Every method MUST be safe for concurrent use. Requests are valid: package
// checkpoint has checked names, limits and sizes. Times in requests are in UTC
// with a resolution of a microsecond and MUST come back equal.
type Backend interface {
	// Ping connects, and prepares or checks what the backend needs in the
	// database (tables, settings). It MUST be idempotent, safe to run from many
	// processes at once on an empty database, and cheap when there is nothing
	// to do. Package checkpoint calls it once before the first operation, and
	// again before the next one if it failed, unless the backend is a
	// [SelfPreparer]; backends that are used without
	// package checkpoint MUST work whether or not Ping was called.
	Ping(ctx context.Context) error

	// Save writes one checkpoint of the thread req.Key and returns its Info.
	//
	// The new version MUST be the latest version of the live thread plus 1, or
	// 1 with CreatedAt = req.Now when the thread is absent or has expired.
	// SavedAt is req.Now. Versions beyond req.Keep are dropped in the same
	// step.
	//
	// A save is applied at most once. When req.ID is the id of a version of the
	// live thread that is still kept, Save MUST return the Info of that version
	// and change nothing, whatever req.Match says. A backend or its client
	// library that repeats a save by itself, after a lost reply for example,
	// MUST make sure that its first attempt is recognised even if other saves
	// came in between, or return ErrUnavailable.
	//
	// ErrConflict (as a *ConflictError) when req.Match does not hold, and then
	// nothing has changed. ErrInvalid when the thread is at [MaxVersion].
	// ErrTooLarge when the database cannot hold the payload. ErrUnavailable and the context's error leave open whether the
	// save was applied; the Info returned with them MUST carry Key and ID.
	Save(ctx context.Context, req SaveRequest) (Info, error)

	// Load returns the latest checkpoint of the thread, or the version asked
	// for. ErrNotFound when the thread is absent or has expired, or does not
	// keep that version. The payload belongs to the caller: the backend MUST
	// NOT read or write it after Load has returned.
	Load(ctx context.Context, req LoadRequest) (Checkpoint, error)

	// Delete removes every version of the thread. Without a condition it MUST
	// return nil when the thread is absent. ErrConflict (as a *ConflictError)
	// when req.Match does not hold, and then nothing has changed; an absent
	// thread holds no condition of a deletion. A backend that repeats a
	// conditional deletion by itself MUST NOT report its own first attempt as a
	// conflict: it returns nil where it can tell, and ErrUnavailable otherwise.
	Delete(ctx context.Context, req DeleteRequest) error

	// List yields each live thread of req.Namespace once, as the Info of its
	// latest checkpoint, in ascending byte order of the thread's name, and no
	// payload may be transferred for it.
	//
	// Prefix and After are byte strings, not patterns, and need not be valid
	// names or UTF-8: only threads whose name starts with Prefix and is greater
	// than After are listed. Limit 0 lists all. A thread that is there during
	// the whole iteration MUST be yielded; one that is saved or deleted
	// meanwhile may or may not be.
	//
	// The loop's body may call any method of the backend: List MUST NOT hold a
	// lock or the only connection while it yields. The cost of a page MUST NOT
	// grow with the number of threads outside it, where the database has an
	// index to serve it. An error is yielded once, with a zero Info, and ends
	// the iteration; but a thread whose latest checkpoint cannot be read SHOULD
	// be yielded with its Key alone and an error that matches ErrCorrupt, and
	// the iteration goes on with the next one if the caller asks for it.
	List(ctx context.Context, req ListRequest) iter.Seq2[Info, error]

	// History yields the kept versions of a live thread, newest first and
	// without gaps, without transferring payloads. Before, when it is not 0,
	// leaves only versions lower than it; Limit 0 yields all. The history of an
	// absent thread is empty and no error. What holds for List's loop body and
	// errors holds here.
	History(ctx context.Context, req HistoryRequest) iter.Seq2[Info, error]

	// Close releases what the backend owns, and not a client that was handed to
	// it. It MUST be idempotent and wait for nothing: operations under way
	// finish or return ErrClosed. After Close every method MUST return (an
	// iterator: yield once) ErrClosed, before any other error.
	Close() error
}
