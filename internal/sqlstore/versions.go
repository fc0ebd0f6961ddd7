package sqlstore

import (
	"errors"
	"iter"
	"math"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/names"
)

// A Version is a version with its payload. Err, which matches
// driver.ErrCorrupt, says that its payload cannot be read; the Info is then filled
// in as far as it is known, with Version at least.
type Version struct {
	driver.Checkpoint
	Err error
}

// A VersionsPage asks for the next versions of a thread.
type VersionsPage struct {
	From, To int64        // both included, and never open
	Count    int          // of versions at most, up to driver.VersionsPage
	Bare     bool         // without payloads; Err is of no account then
	Last     *driver.Info // read last; nil for the first page
}

// Versions pages through the versions that req asks for.
//
// fetch returns a page in the order of req: at most Count versions whose payloads
// have driver.VersionsBytes together, or two versions where these are larger, and
// whether the range goes on. It returns none when the thread has no version with
// the number of Last and another id, or another CreatedAt than Last's: it has been
// deleted then, and another life of it has begun.
//
// What a whole page cannot be read for, an error that matches driver.ErrCorrupt, is
// traced to its version by reading them one by one, and the last of these without
// its payload.
func Versions(req driver.VersionsRequest, fetch func(VersionsPage) (page []Version, more bool, err error)) iter.Seq2[driver.Checkpoint, error] {
	return func(yield func(driver.Checkpoint, error) bool) {
		p := VersionsPage{From: max(req.From, 1), To: req.To}
		if p.To == 0 {
			p.To = math.MaxInt64
		}
		for left := req.Limit; ; {
			p.Count, p.Bare = driver.VersionsPage, false
			if req.Limit > 0 {
				p.Count = min(p.Count, left)
			}
			page, more, err := fetch(p)
			if errors.Is(err, driver.ErrCorrupt) {
				page, more, err = damagedPage(p, fetch)
			}
			if err != nil {
				yield(driver.Checkpoint{}, err)
				return
			}
			for i, v := range page {
				page[i] = Version{} // its payload is the caller's
				if v.Err == nil {
					p.Last = &v.Info
				}
				if req.Newest {
					p.To = v.Version - 1
				} else {
					p.From = v.Version + 1
				}
				if !yield(v.Checkpoint, v.Err) {
					return
				}
			}
			left -= len(page)
			if !more || len(page) == 0 || req.Limit > 0 && left <= 0 {
				return
			}
		}
	}
}

// damagedPage reads one version of a page that cannot be read as a whole.
func damagedPage(p VersionsPage, fetch func(VersionsPage) ([]Version, bool, error)) ([]Version, bool, error) {
	p.Count = 1
	page, more, err := fetch(p)
	if !errors.Is(err, driver.ErrCorrupt) {
		return page, more, err
	}
	damage := err
	p.Bare = true
	page, more, err = fetch(p)
	if err != nil {
		return nil, false, err
	}
	for i := range page {
		page[i].Payload, page[i].Err = nil, damage
	}
	return page, more, nil
}

// DeletePrefix removes the threads under a prefix in batches of size, each of
// which begins where the one before has ended, and returns how many of them were
// live. remove deletes the first threads with low <= name, and name < high unless
// high is "", and returns how many of these were live, how many there were, and the
// last of them.
func DeletePrefix(req driver.DeletePrefixRequest, size int, remove func(low, high string, size int) (live, all int64, last string, err error)) (int64, error) {
	var sum int64
	for after := ""; ; {
		low, high, ok := names.Range(req.Prefix, after)
		if !ok { // no name is there to be asked for
			size, low, high = 0, "", ""
		}
		live, all, last, err := remove(low, high, size)
		sum += live
		if err != nil || all < int64(size) || !ok {
			return sum, err
		}
		after = last
	}
}
