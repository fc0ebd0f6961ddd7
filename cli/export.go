package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/cli/exportfile"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

func newExport(a *app) *cobra.Command {
	var prefix string
	var everything, force bool
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write every version of every thread to a file of JSON Lines",
		Long: `Export writes the threads of the namespace, with every version that is kept, to
FILE, or to standard output if that is "-". Payloads are written as they are
stored, so no key is needed, and what is encrypted stays so; but a state that was
saved as a patch is written whole, which needs the key if it is encrypted. Every
line has a checksum that "checkpoint import" checks. The format is for other programs, too:
docs/export.md in the source describes it.

Each thread is exported as it is when its turn comes; saves may go on meanwhile.
The file appears under its name when it is complete. One that is there already is
kept unless --force is given.`,
		Example: `  checkpoint export agents.jsonl
  checkpoint export - --all-namespaces | gzip > agents.jsonl.gz`,
		Args: arguments(1, 1, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, isTerminal := terminal.Width(a.out); isTerminal && args[0] == "-" {
				return usagef("export writes no file to a terminal, which would act on what stands in it: name a file, or use a pipe")
			}
			if info, err := os.Stat(args[0]); err == nil && info.Mode().IsRegular() && !force {
				return usagef("the file %q is there already; --force replaces it", args[0])
			}
			src := a.source(false)
			store, err := src.open()
			if err != nil {
				return err
			}
			defer store.Close()
			if err := store.Ping(cmd.Context()); err != nil {
				return err
			}
			views, err := src.views(cmd.Context(), store, everything)
			if err != nil {
				return err
			}
			header := exportfile.Header{ExportedAt: now()}
			if !everything {
				header.Namespace = store.InNamespace()
			}
			x := exporting{app: a, store: store, driver: src.driver(), prefix: prefix}
			write := func(w io.Writer) error {
				return store.Raw(func(b driver.Backend) error {
					x.backend = b
					return x.run(cmd.Context(), w, header, views)
				})
			}
			if args[0] == "-" {
				err = write(a.out)
			} else {
				err = writeWhole(args[0], write)
			}
			return x.report(args[0], err)
		},
	}
	cmd.Flags().StringVar(&prefix, "prefix", "", "only threads whose name starts with this")
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE if it is there already")
	cmd.Flags().BoolVar(&everything, "all-namespaces", false, "every namespace of the store")
	return cmd
}

// writeWhole writes a file that appears under its name when it is complete. A
// pipe or device that is there already is written to.
func writeWhole(name string, write func(io.Writer) error) (err error) {
	if info, statErr := os.Stat(name); statErr == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		err = write(f)
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		return err
	}
	part := name + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(part)
		}
	}()
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(part, name)
}

// An exporting is one run of export.
type exporting struct {
	app     *app
	store   *checkpoint.Store
	driver  string
	backend driver.Backend
	prefix  string
	file    *exportfile.Writer
	bar     *progress
	gone    int64 // threads that were deleted, or began a new life, meanwhile
}

func (x *exporting) run(ctx context.Context, w io.Writer, header exportfile.Header, views []*checkpoint.Store) error {
	x.bar = x.app.progress("exporting threads", 0)
	defer x.bar.finish()
	defer x.bar.count(ctx, views, x.prefix)()

	var err error
	if x.file, err = exportfile.NewWriter(w, header); err != nil {
		return err
	}
	for _, view := range views {
		for info, err := range view.List(ctx, checkpoint.ListOptions{Prefix: x.prefix}) {
			if err != nil {
				return err
			}
			if err := x.thread(ctx, info.Key); err != nil {
				return err
			}
			x.bar.add(1)
		}
	}
	return x.file.Close()
}

// now is the time of an operation on a backend.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func (x *exporting) fail(thread string, err error) error {
	return &checkpoint.Error{Op: "export", Driver: x.driver, Thread: thread, Err: err}
}

// relists is how often the history of a thread is listed again because what it
// named has been dropped by saves meanwhile.
const relists = 3

// thread writes the versions of a thread, oldest first. Saves may go on and drop
// versions: then it goes on with those that came instead, up to the latest.
func (x *exporting) thread(ctx context.Context, key driver.Key) error {
	var born time.Time // tells the present life from a later one
	var last int64     // version written
	for attempt := range relists + 1 {
		versions, err := x.versions(ctx, key, last)
		if err != nil {
			return x.fail(key.Thread, err)
		}
		if len(versions) == 0 && last == 0 {
			x.gone++
			return nil
		}
		complete := true
		for i, v := range versions {
			if attempt == relists && i == len(versions)-1 {
				v = 0 // the latest, whichever that is by now
			}
			cp, err := x.backend.Load(ctx, driver.LoadRequest{Key: key, Version: v, Now: now()})
			if errors.Is(err, driver.ErrNotFound) {
				complete = false
				continue
			}
			if err != nil {
				return x.fail(key.Thread, err)
			}
			if born.IsZero() {
				born = cp.CreatedAt
			}
			if !cp.CreatedAt.Equal(born) || cp.Version <= last {
				x.gone++
				return nil
			}
			if cp, err = x.store.Whole(cp); err != nil {
				return err
			}
			if err := x.file.Write(cp); err != nil {
				return x.fail(key.Thread, err)
			}
			last, complete = cp.Version, true
		}
		if complete {
			return nil
		}
	}
	return nil
}

// versions returns the numbers of the kept versions above last, oldest first.
func (x *exporting) versions(ctx context.Context, key driver.Key, last int64) ([]int64, error) {
	var versions []int64
	for info, err := range x.backend.History(ctx, driver.HistoryRequest{Key: key, Now: now()}) {
		if err != nil {
			return nil, err
		}
		if info.Version <= last {
			break
		}
		versions = append(versions, info.Version)
	}
	slices.Reverse(versions)
	return versions, nil
}

// report says what was exported, on standard error when the export itself went to
// standard output.
func (x *exporting) report(name string, err error) error {
	if err != nil {
		if name != "-" && x.file != nil {
			x.app.note("no file was written; run export again")
		}
		return err
	}
	n := x.file.Counts()
	if name == "-" {
		x.app.note("exported %s, %s, %s", human.Count(n.Threads, "thread"), human.Count(n.Checkpoints, "checkpoint"), human.Size(n.Bytes))
	} else if x.app.json {
		err = x.app.printJSON(n)
	} else {
		err = x.app.done("exported %s, %s, %s to %s\n", human.Count(n.Threads, "thread"), human.Count(n.Checkpoints, "checkpoint"), human.Size(n.Bytes), terminal.Quote(name))
	}
	if x.gone > 0 {
		x.app.note("%s deleted while the export ran", human.Count(x.gone, "thread"))
	}
	return err
}
