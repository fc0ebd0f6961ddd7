package redis

import (
	"context"
	"fmt"
	"iter"

	"github.com/go-ckpt/checkpoint/driver"
)

// History implements driver.Backend. A page takes one round trip and moves no
// payload.
func (b *backend) History(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		if err := b.history(ctx, req, yield); err != nil {
			yield(driver.Info{}, err)
		}
	}
}

func (b *backend) history(ctx context.Context, req driver.HistoryRequest, yield func(driver.Info, error) bool) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	if err := b.ready(ctx); err != nil {
		return b.report(ctx, err)
	}
	var life driver.Info // the latest version at the first page
	before := req.Before
	for yielded := 0; ; {
		want := page
		if req.Limit > 0 {
			want = min(page, req.Limit-yielded)
		}
		lines, err := b.historyPage(ctx, req.Key, before, want)
		if err != nil {
			return b.report(ctx, err)
		}
		if len(lines) == 0 {
			return nil
		}
		latest, err := parseInfo(req.Key, lines[0])
		switch {
		case err != nil:
			return err
		case latest.Expired(req.Now):
			return nil
		case life.Version == 0:
			life = latest
		case latest.Version < life.Version || !latest.CreatedAt.Equal(life.CreatedAt):
			return nil // deleted meanwhile; what there is now is another life
		}
		for _, line := range lines[1:] {
			info, err := parseInfo(req.Key, line)
			if err == nil && before != 0 && info.Version >= before {
				err = fmt.Errorf("%w: its history is out of order", driver.ErrCorrupt)
			}
			if err != nil {
				return err
			}
			before = info.Version
			if !yield(info, nil) {
				return nil
			}
			if yielded++; yielded == req.Limit {
				return nil
			}
		}
		if len(lines)-1 < want || before == 1 {
			return nil
		}
		if err := b.begin(ctx); err != nil { // the loop's body may have taken its time
			return err
		}
	}
}

// historyPage reads the info of the latest version and up to want infos of
// versions before the given one.
func (b *backend) historyPage(ctx context.Context, key driver.Key, before int64, want int) ([]string, error) {
	keys := []string{b.layout.list(key.Namespace, key.Thread), b.layout.past(key.Namespace, key.Thread)}
	return b.readBy(ctx, historyScript, keys, before, want)
}
