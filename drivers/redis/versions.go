package redis

import (
	"context"
	"fmt"
	"strconv"

	"github.com/go-ckpt/checkpoint/driver"
)

// versions reads a page with its payloads in one round trip. The script bounds
// it, so that no more bytes travel than a page may have.
func (b *backend) versions(ctx context.Context, req driver.VersionsRequest, yield func(driver.Checkpoint, error) bool) error {
	var of life
	for left := req; ; {
		if err := b.begin(ctx); err != nil { // the loop's body may have taken its time
			return err
		}
		limit := driver.VersionsPage
		if req.Limit > 0 {
			limit = min(limit, left.Limit)
		}
		p, err := b.versionsPage(ctx, left, limit, of.latest.Version)
		if err != nil {
			return b.report(ctx, err)
		}
		if p.latest.Version == 0 || p.latest.Expired(req.Now) || !of.goesOn(p.latest, p.anchor) {
			return nil
		}
		count := p.count()
		for i := range count {
			at := i
			if !req.Newest {
				at = count - 1 - i
			}
			if !yield(p.checkpoint(req.Key, at)) {
				return nil
			}
		}
		if left.Limit -= count; !p.more || count == 0 || left.Limit == 0 {
			return nil
		}
		if req.Newest {
			left.To = p.highest - int64(count)
		} else {
			left.From = p.highest + 1
		}
	}
}

// A versionsPage is a page of a thread, newest first.
type versionsPage struct {
	latest  driver.Info // zero if there is no thread
	anchor  string
	highest int64
	more    bool
	parts   []string // payload, info, payload, info, …
}

func (b *backend) versionsPage(ctx context.Context, req driver.VersionsRequest, limit int, anchor int64) (versionsPage, error) {
	newest := 0
	if req.Newest {
		newest = 1
	}
	reply, err := b.readBy(ctx, false, versionsScript, b.layout.thread(req.Key)[:2],
		req.From, req.To, newest, limit, driver.VersionsBytes, anchor)
	if err != nil || len(reply) == 0 {
		return versionsPage{}, err
	}
	if len(reply) < 4 {
		return versionsPage{}, fmt.Errorf("%w: the server's answer cannot be read", driver.ErrUnavailable)
	}
	p := versionsPage{anchor: reply[1], more: reply[3] == "1", parts: reply[4:]}
	if p.latest, err = parseInfo(req.Key, reply[0]); err != nil {
		return versionsPage{}, err
	}
	p.highest, err = strconv.ParseInt(reply[2], 10, 64)
	if err != nil {
		return versionsPage{}, fmt.Errorf("%w: the server's answer cannot be read", driver.ErrUnavailable)
	}
	return p, nil
}

func (p versionsPage) count() int { return (len(p.parts) + 1) / 2 }

// checkpoint reads one version of the page. Of a damaged one it returns what is
// known with the error.
func (p versionsPage) checkpoint(key driver.Key, at int) (driver.Checkpoint, error) {
	known := driver.Checkpoint{Info: driver.Info{Key: key, Version: p.highest - int64(at)}}
	if 2*at+1 >= len(p.parts) {
		return known, fmt.Errorf("%w: version %d has no info", driver.ErrCorrupt, known.Version)
	}
	info, err := parseInfo(key, p.parts[2*at+1])
	if err != nil {
		return known, err
	}
	if info.Version != known.Version {
		return known, fmt.Errorf("%w: in the place of version %d is the info of another one", driver.ErrCorrupt, known.Version)
	}
	known.Info = info
	payload := p.parts[2*at]
	if len(payload) != info.Size {
		return known, errSize(info)
	}
	p.parts[2*at] = "" // the caller's now
	known.Payload = bytesOf(payload)
	return known, nil
}

// A life tells pages of a thread from those of its next life, which begins when
// it was deleted or has expired and is saved again.
type life struct{ latest driver.Info }

// goesOn reports whether a page is of the same life as the one before it. latest
// is the info of its latest version; anchor is that of the version which was the
// latest one before, "" where that is no longer kept.
func (l *life) goesOn(latest driver.Info, anchor string) bool {
	before := l.latest
	l.latest = latest
	if before.Version == 0 {
		return true
	}
	if latest.Version < before.Version || !latest.CreatedAt.Equal(before.CreatedAt) {
		return false
	}
	if anchor == "" {
		return true
	}
	info, err := parseInfo(before.Key, anchor)
	return err == nil && info.ID == before.ID
}
