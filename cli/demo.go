package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/demo"
)

// stepTime is how long a step of the demo's agent takes at least, so that one
// can watch.
const stepTime = 250 * time.Millisecond

func newDemo(a *app) *cobra.Command {
	var worker string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch an agent being killed and going on where it was",
		Long: `Demo runs a small agent that works through a plan and saves its state after
every step. It is killed in the middle, a new process goes on where it was, its
history is looked at, and an old version is forked. It takes a few seconds and
needs nothing but this command: the states go to a new SQLite file in the folder
for temporary files, which is named at the end and is all that is left behind.
With --json nothing is told, and the store is named in a line of JSON.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			if worker != "" {
				return a.demoWorker(cmd.Context(), worker)
			}
			return a.demo(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&worker, "worker", "", "be the agent, on this `FILE`")
	cmd.Flags().MarkHidden("worker")
	return cmd
}

// demoDSN names the store in the demo's file.
func demoDSN(file string) string { return file + "?history=all" }

func (a *app) demo(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("the demo starts this program again and cannot find it: %w", err)
	}
	file := filepath.Join(os.TempDir(), "checkpoint-demo-"+strings.ToLower(rand.Text()[:6])+".db")
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the demo needs a new file, and %q is there already", file)
	}
	store, err := checkpoint.Open("sqlite", demoDSN(file))
	if errors.Is(err, checkpoint.ErrUnknownDriver) {
		return errors.New("the demo needs the SQLite driver, which this program is built without")
	}
	if err != nil {
		return err
	}
	out := a.out
	if a.json {
		out = io.Discard
	}
	story := &demo.Story{
		Out:   out,
		Style: a.style,
		File:  file,
		DSN:   demoDSN(file),
		Store: store,
		Worker: func(ctx context.Context) *exec.Cmd {
			return exec.CommandContext(ctx, self, "demo", "--worker", file)
		},
		Command: typedAs(self) + " --store sqlite:" + file,
		Pause:   stepTime,
	}
	if err := story.Tell(ctx); err != nil {
		store.Close()
		if _, missing := os.Stat(file); missing == nil {
			a.note("what was saved so far is in %s; delete it when you are done", file)
		}
		return err
	}
	if err := store.Close(); err != nil || !a.json {
		return err
	}
	return a.printJSON(struct {
		Store  string `json:"store"`
		Thread string `json:"thread"`
	}{"sqlite:" + file, demo.Thread})
}

// demoWorker is the process that is killed, and the one that goes on.
func (a *app) demoWorker(ctx context.Context, file string) error {
	store, err := checkpoint.Open("sqlite", demoDSN(file))
	if err != nil {
		return err
	}
	defer store.Close()
	return demo.Work(ctx, store, demo.Thread, stepTime, a.out)
}

// typedAs returns what a person types to run this program.
func typedAs(self string) string {
	if strings.Contains(self, string(filepath.Separator)+"go-build") {
		return "go run ./cmd/checkpoint"
	}
	name := filepath.Base(self)
	if runtime.GOOS == "windows" {
		name = strings.TrimSuffix(name, ".exe")
	}
	if found, err := exec.LookPath(name); err == nil && found == self {
		return name
	}
	return self
}
