package cli

import (
	"context"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// A progress shows how far long work has come, on a terminal; in a pipe, with
// --json and with --quiet it is nil, and all its methods do nothing. It is safe
// for concurrent use.
type progress struct {
	mu    sync.Mutex
	w     io.Writer
	label string
	bytes bool
	total int64 // 0: not known (yet)
	done  int64
	bar   *progressbar.ProgressBar
}

// progress starts to show work. A total of 0 is not known.
func (a *app) progress(label string, total int64) *progress {
	return a.startProgress(&progress{label: label, total: total})
}

// progressBytes is progress for work that is counted in bytes.
func (a *app) progressBytes(label string, total int64) *progress {
	return a.startProgress(&progress{label: label, total: total, bytes: true})
}

func (a *app) startProgress(p *progress) *progress {
	if a.quiet || a.json || os.Getenv("TERM") == "dumb" {
		return nil
	}
	if columns, isTerminal := terminal.Width(a.err); !isTerminal || columns < 40 {
		return nil
	}
	p.w = a.err
	p.draw()
	return p
}

// draw makes a bar for what is known. The lock is held, or not needed yet.
func (p *progress) draw() {
	total := p.total
	if total <= 0 {
		total = -1
	}
	p.bar = progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(p.w),
		progressbar.OptionSetDescription(p.label),
		progressbar.OptionSetWidth(24),
		progressbar.OptionSetTheme(progressbar.Theme{Saucer: "█", SaucerPadding: "░", BarStart: " ", BarEnd: " "}),
		progressbar.OptionThrottle(80*time.Millisecond),
		progressbar.OptionShowCount(),
		progressbar.OptionShowBytes(p.bytes),
		progressbar.OptionUseIECUnits(true),
		progressbar.OptionSpinnerType(14),
		// It turns as the work goes on: a goroutine that turned it would race
		// with Clear, and draw again what finish has taken away.
		progressbar.OptionSetSpinnerChangeInterval(0),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionUseANSICodes(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetElapsedTime(true),
	)
	p.bar.Add64(p.done)
}

// setTotal tells the total when it is known at last.
func (p *progress) setTotal(total int64) {
	if p == nil || total <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar == nil || total == p.total {
		return
	}
	p.total = max(total, p.done+1)
	p.bar.Clear()
	p.draw()
}

// set tells how much is done.
func (p *progress) set(done int64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(done - p.done)
}

// add tells how much more is done.
func (p *progress) add(n int64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advance(n)
}

// advance moves the bar, which stays short of its end until finish: the work may
// grow while it is done. The lock is held.
func (p *progress) advance(n int64) {
	if p.total > 0 {
		n = min(n, p.total-1-p.done)
	}
	if n > 0 && p.bar != nil {
		p.bar.Add64(n)
		p.done += n
	}
}

// finish takes the bar away.
func (p *progress) finish() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Exit()
		p.bar.Clear()
		p.bar = nil
	}
}

// count counts the threads of views beside the work on them, to give the bar its
// total. The function it returns ends the counting.
func (p *progress) count(ctx context.Context, views []*checkpoint.Store, prefix string) (stop func()) {
	if p == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var total int64
		for _, view := range views {
			for _, err := range view.List(ctx, checkpoint.ListOptions{Prefix: prefix}) {
				if err != nil {
					return
				}
				total++
			}
		}
		p.setTotal(total)
	}()
	return func() {
		cancel()
		<-done
	}
}

// Write counts bytes that pass by.
func (p *progress) Write(b []byte) (int, error) {
	p.add(int64(len(b)))
	return len(b), nil
}
