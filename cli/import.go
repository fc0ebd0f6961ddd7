package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/cli/exportfile"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
)

func newImport(a *app) *cobra.Command {
	var from, query string
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Read what export, or another program, has written into the store",
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
everything before that line has been imported; what that was is said.

With --from, states that another program has saved are saved in the namespace as new
threads, with the store's compression and encryption. The first state of a thread
becomes version 1, each further one the next version. Formats:
` + formatsHelp(),
		Example: `  checkpoint import agents.jsonl --store 'postgres://localhost/agents'
  gunzip < agents.jsonl.gz | checkpoint import -
  checkpoint import --from folder sessions/
  checkpoint import --from sql postgres://localhost/old \
    --query 'SELECT session, state, saved FROM sessions ORDER BY session, saved'
  checkpoint import --from agents-persistence 'redis://localhost:6379?namespace=agents'`,
		Args: arguments(1, 1, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if from != "" || query != "" {
				return a.importFrom(cmd.Context(), cmp.Or(from, "sql"), args[0], query)
			}
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
			im := importing{app: a, source: a.source(true)}
			err := im.run(cmd.Context(), io.TeeReader(in, bar))
			bar.finish()
			return im.report(cmd.Context(), args[0], err)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "`FORMAT` of another program, as listed above")
	cmd.Flags().StringVar(&query, "query", "", "`SQL` that yields the threads and their states (with --from sql)")
	return cmd
}

// An importing is one run of import.
type importing struct {
	app       *app
	source    source
	namespace string // of every thread; "" for the one it comes from
	file      *exportfile.Reader
	done      checkpoint.ImportStats
	plaintext int64 // checkpoints of the file that are not encrypted
}

// sealing is what encryption may add to a state.
const sealing = 1 << 10

func (im *importing) run(ctx context.Context, r io.Reader) error {
	store, err := im.source.open()
	if err != nil {
		return err
	}
	defer store.Close()
	largest := checkpoint.DefaultMaxStateSize
	if v, ok := im.source.word("max_state_size"); ok {
		largest, _ = strconv.Atoi(v) // which opening the store has checked
	}
	if im.file, err = exportfile.NewReader(r, largest+sealing); err != nil {
		return err
	}
	if im.source.fixed() {
		if im.file.Header().Namespace == "" {
			return usagef("the file has the threads of all namespaces, and they go where they came from: leave out the namespace")
		}
		im.namespace = store.InNamespace()
	}
	im.done, err = checkpoint.Import(ctx, store, im.checkpoints())
	return err
}

// checkpoints yields what the file holds, in the namespaces that it goes to.
func (im *importing) checkpoints() iter.Seq2[driver.Checkpoint, error] {
	return func(yield func(driver.Checkpoint, error) bool) {
		for {
			cp, err := im.file.Next()
			if err == io.EOF {
				return
			}
			if err == nil {
				err = im.place(&cp)
			}
			if !yield(cp, err) || err != nil {
				return
			}
		}
	}
}

// place gives a checkpoint the namespace that it goes to.
func (im *importing) place(cp *driver.Checkpoint) error {
	sealed := strings.HasSuffix(cp.Encoding, "+aead")
	if !sealed {
		im.plaintext++
	}
	if im.namespace == "" || im.namespace == cp.Namespace {
		return nil
	}
	if sealed {
		return &exportfile.LineError{Line: im.file.Line(), Err: fmt.Errorf("the state is encrypted and bound to the namespace %q; import it there (and move it with copy, which decrypts)", cp.Namespace)}
	}
	cp.Namespace = im.namespace
	return nil
}

// report says what was imported, also when the import broke off.
func (im *importing) report(ctx context.Context, name string, err error) error {
	if im.file == nil {
		if broken, ok := errors.AsType[*exportfile.LineError](err); ok {
			return fmt.Errorf("%s: %w; nothing was imported", name, broken)
		}
		return err
	}
	n := im.done
	did := fmt.Sprintf("%s, %s, %s imported", human.Count(n.Threads, "thread"), human.Count(n.Checkpoints, "checkpoint"), human.Size(n.Bytes))
	if n.Skipped > 0 {
		did += fmt.Sprintf("; %s skipped: the store has the same or a higher version", human.Count(n.Skipped, "thread"))
	}
	if n.Expired > 0 {
		did += fmt.Sprintf("; %s left out: expired", human.Count(n.Expired, "thread"))
	}
	broken, isBroken := errors.AsType[*exportfile.LineError](err)
	switch {
	case err == nil && im.app.json:
		err = im.app.printJSON(struct {
			Threads     int64 `json:"threads"`
			Checkpoints int64 `json:"checkpoints"`
			Bytes       int64 `json:"bytes"`
			Skipped     int64 `json:"skipped"`
			Expired     int64 `json:"expired"`
		}{n.Threads, n.Checkpoints, n.Bytes, n.Skipped, n.Expired})
	case err == nil:
		err = im.app.done("%s\n", did)
	case isBroken && ctx.Err() == nil && n.Checkpoints+n.Skipped+n.Expired == 0:
		return fmt.Errorf("%s: %w; nothing was imported", name, broken)
	case isBroken && ctx.Err() == nil: // and not the end of a pipe that was interrupted, too
		return fmt.Errorf("%s: %w; what stands before it was imported: %s", name, broken, did)
	case errors.As(err, new(usageError)):
		return err
	default:
		im.app.note("%s; run the same import again to go on: what is there is recognised", did)
		return err
	}
	if im.source.keys != "" && im.plaintext > 0 && n.Checkpoints > 0 {
		im.app.note("%s not encrypted, and a store with keys refuses them: checkpoint rekey --plaintext encrypts them", human.Count(im.plaintext, "checkpoint"))
	}
	return err
}
