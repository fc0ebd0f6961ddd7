package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/cli/exportfile"
)

func newImport(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE",
		Short: "Read what export has written into the store",
		Long: `Import writes the checkpoints of a file of "checkpoint export", or of standard
input if FILE is "-", into the store: with their ids, versions, times, metadata
and payloads as they are. It never overwrites: a thread that the store has at the
same or a higher version keeps what it has. So import can be run again, after an
interruption for example, and does what is left.

Threads go to the namespace that they came from, or to the one that is asked for
with --namespace. Encrypted payloads need no key, and are bound to their
namespace. Threads that have expired since are left out. No version is dropped
unless the store's URL has history=N.

A file that was cut off or edited is refused at the line where it breaks, after
everything before that line has been imported; what that was is said.`,
		Example: `  checkpoint import agents.jsonl --store 'postgres://localhost/agents'
  gunzip < agents.jsonl.gz | checkpoint import -`,
		Args: arguments(1, 1, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, size := a.input(cmd.Context()), int64(0)
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer f.Close()
				if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
					size = info.Size()
				}
				in = f
			} else if isInteractive(a.in) {
				return usagef("import reads no export from the keyboard: name a file, or use a pipe")
			}
			bar := a.progressBytes("importing", size)
			defer bar.finish()
			im := importing{app: a}
			err := im.run(cmd.Context(), io.TeeReader(in, bar))
			bar.finish()
			return im.report(cmd.Context(), args[0], err)
		},
	}
}

// importCounts say what an import did.
type importCounts struct {
	Threads     int64 `json:"threads"`     // of which a checkpoint was written
	Checkpoints int64 `json:"checkpoints"` // written
	Bytes       int64 `json:"bytes"`       // of their payloads
	Skipped     int64 `json:"skipped"`     // threads that the store has at the same or a higher version
	Expired     int64 `json:"expired"`     // threads that have expired since the export
	Plaintext   int64 `json:"-"`           // checkpoints written that are not encrypted
}

// An importing is one run of import.
type importing struct {
	app    *app
	raw    *rawStore
	target driver.Importer
	file   *exportfile.Reader

	mu   sync.Mutex
	done importCounts
}

// importers is how many threads are imported at a time.
const importers = 8

func (im *importing) run(ctx context.Context, r io.Reader) error {
	source := im.app.source(true)
	raw, err := source.openRaw()
	if err != nil {
		return err
	}
	defer raw.Close()
	im.raw = raw
	var ok bool
	if im.target, ok = raw.Backend.(driver.Importer); !ok {
		return im.fail("", fmt.Errorf("%w: the driver cannot import", errors.ErrUnsupported))
	}
	if im.file, err = exportfile.NewReader(r, raw.maxSize+sealing); err != nil {
		return err
	}
	if raw.fixed && im.file.Header().Namespace == "" {
		return usagef("the file has the threads of all namespaces, and they go where they came from: leave out the namespace")
	}
	if err := raw.Ping(ctx); err != nil {
		return im.fail("", err)
	}
	return im.lanes(ctx)
}

// sealing is what encryption may add to a state.
const sealing = 1 << 10

// lanes reads the file and imports it, several threads at a time. What was read
// before a fault of the file is imported.
func (im *importing) lanes(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	queues := make([]chan item, importers)
	for i := range queues {
		queues[i] = make(chan item, 1)
		wg.Go(func() {
			l := lane{importing: im}
			for it := range queues[i] {
				if ctx.Err() != nil {
					continue
				}
				if err := l.add(ctx, it); err != nil {
					cancel(err)
				}
			}
			l.finish()
		})
	}
	err := im.read(ctx, queues)
	for _, q := range queues {
		close(q)
	}
	wg.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// read hands what the file holds to the lanes, each thread to one of them. It
// looks one checkpoint ahead, to tell which is the last of its thread.
func (im *importing) read(ctx context.Context, queues []chan item) error {
	var held *item
	next := 0
	for {
		cp, err := im.file.Next()
		if held != nil {
			held.last = err == io.EOF || err == nil && cp.Key != held.source
			select {
			case queues[next] <- *held:
			case <-ctx.Done():
				return ctx.Err()
			}
			if held.last {
				next = (next + 1) % len(queues)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		held = &item{cp: cp, source: cp.Key, line: im.file.Line()}
		if im.raw.fixed {
			held.cp.Namespace = im.raw.namespace
		}
	}
}

// An item is a checkpoint on its way from the file to the store.
type item struct {
	cp     driver.Checkpoint // in the namespace that it goes to
	source driver.Key        // in the namespace that it comes from
	line   int64
	last   bool // of its thread
}

func (im *importing) fail(thread string, err error) error {
	return &checkpoint.Error{Op: "import", Driver: im.raw.driverName, Thread: thread, Err: err}
}

// A lane imports one thread after the other.
type lane struct {
	*importing
	key     driver.Key  // the thread that is imported now
	there   driver.Info // its latest checkpoint in the store before; the zero Info when absent
	prev    driver.Info // the version that was imported last
	skip    bool        // the rest of the thread is left out
	expired bool        // because it has expired
}

// add imports one checkpoint, unless the store has it, or something newer, or
// something else in its place.
func (l *lane) add(ctx context.Context, it item) error {
	cp := it.cp
	if cp.Key != l.key {
		l.finish()
		there, err := l.stat(ctx, cp.Key)
		if err != nil {
			return err
		}
		l.key, l.there, l.prev, l.skip, l.expired = cp.Key, there, driver.Info{}, false, false
	}
	switch {
	case l.skip || cp.Version < l.there.Version:
		return nil
	case cp.Version == l.there.Version:
		l.skip = cp.ID != l.there.ID // the thread has gone its own way
		return nil
	case it.last && l.prev.Version == 0 && cp.Expired(now()):
		l.skip, l.expired = true, true
		return nil
	}
	if it.source != cp.Key && strings.HasSuffix(cp.Encoding, "+aead") {
		return l.fail(cp.Thread, fmt.Errorf("line %d: the payload is encrypted and bound to the namespace %q; import it there (and move it with copy, which decrypts)", it.line, it.source.Namespace))
	}
	// An older version may have been recorded with an expiry that is over, and
	// would not be taken for a part of the live thread.
	at := now()
	if l.prev.Expired(at) {
		at = l.prev.SavedAt
	}
	err := l.target.Import(ctx, driver.ImportRequest{Checkpoint: cp, Now: at, Keep: l.raw.keep})
	if errors.Is(err, driver.ErrConflict) {
		l.skip = true // somebody saved meanwhile
		return nil
	}
	if err != nil {
		return l.fail(cp.Thread, fmt.Errorf("line %d: %w", it.line, err))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.prev.Version == 0 {
		l.done.Threads++
	}
	l.done.Checkpoints++
	l.done.Bytes += int64(len(cp.Payload))
	if !strings.HasSuffix(cp.Encoding, "+aead") {
		l.done.Plaintext++
	}
	l.prev = cp.Info
	return nil
}

func (l *lane) stat(ctx context.Context, key driver.Key) (driver.Info, error) {
	for info, err := range l.raw.History(ctx, driver.HistoryRequest{Key: key, Limit: 1, Now: now()}) {
		if err != nil {
			return info, l.fail(key.Thread, err)
		}
		return info, nil
	}
	return driver.Info{}, nil
}

// finish counts the thread if nothing of it was written.
func (l *lane) finish() {
	if l.key == (driver.Key{}) || l.prev.Version > 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.expired {
		l.done.Expired++
	} else {
		l.done.Skipped++
	}
}

// report says what was imported, also when the import broke off.
func (im *importing) report(ctx context.Context, name string, err error) error {
	if im.file == nil {
		if broken, ok := errors.AsType[*exportfile.LineError](err); ok {
			return fmt.Errorf("%s: %w; nothing was imported", name, broken)
		}
		return err
	}
	did := fmt.Sprintf("%s, %s, %s imported", formatCount(im.done.Threads, "thread"), formatCount(im.done.Checkpoints, "checkpoint"), formatSize(im.done.Bytes))
	if im.done.Skipped > 0 {
		did += fmt.Sprintf("; %s skipped: the store has the same or a higher version", formatCount(im.done.Skipped, "thread"))
	}
	if im.done.Expired > 0 {
		did += fmt.Sprintf("; %s left out: expired", formatCount(im.done.Expired, "thread"))
	}
	broken, isBroken := errors.AsType[*exportfile.LineError](err)
	switch {
	case err == nil && im.app.json:
		err = im.app.printJSON(im.done)
	case err == nil:
		err = im.app.printf("%s\n", did)
	case isBroken && ctx.Err() == nil: // and not the end of a pipe that was interrupted, too
		return fmt.Errorf("%s: %w; what stands before it was imported: %s", name, broken, did)
	default:
		im.app.note("%s; run the same import again to go on: what is there is recognised", did)
		return err
	}
	if keys := im.app.source(true).keys; keys != "" && im.done.Plaintext > 0 {
		im.app.note("%s not encrypted, and a store with keys refuses them: checkpoint rekey --plaintext encrypts them", formatCount(im.done.Plaintext, "checkpoint"))
	}
	return err
}
