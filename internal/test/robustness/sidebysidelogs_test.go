package robustness

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/go-ckpt/checkpoint/driver"
)

// someID is the id of the latest checkpoint or of any other, also of another
// thread or of one that is gone.
func (p *pair) someID(t *rapid.T, key driver.Key) string {
	if cp, err := p.want.Load(p.ctx, driver.LoadRequest{Key: key, Now: p.now}); err == nil && rapid.Bool().Draw(t, "latest id") {
		return cp.ID
	}
	if len(p.ids) == 0 {
		return "unknown"
	}
	return rapid.SampledFrom(p.ids).Draw(t, "id")
}

// match is a condition that a save and a deletion can have, or none.
func (p *pair) match(t *rapid.T, key driver.Key) driver.Match {
	switch rapid.IntRange(0, 5).Draw(t, "match") {
	case 0:
		return driver.Match{Exists: true}
	case 1, 2:
		return driver.Match{ID: p.someID(t, key)}
	case 3:
		return driver.Match{Version: rapid.Int64Range(1, 5).Draw(t, "if version")}
	case 4:
		if cp, err := p.want.Load(p.ctx, driver.LoadRequest{Key: key, Now: p.now}); err == nil {
			return driver.Match{Version: cp.Version}
		}
	}
	return driver.Match{}
}

func (p *pair) delete(t *rapid.T) {
	req := driver.DeleteRequest{Key: p.key(t), Now: p.now}
	req.Match = p.match(t, req.Key)
	wantErr := p.want.Delete(p.ctx, req)
	gotErr := p.got.Delete(p.ctx, req)
	same(t, fmt.Sprintf("Delete(%+v)", req), shown(driver.Info{}, gotErr), shown(driver.Info{}, wantErr))
	p.compareLoad(t, driver.LoadRequest{Key: req.Key, Now: p.now})
}

func (p *pair) find(t *rapid.T) {
	finder, ok := p.got.(driver.Finder)
	if !ok {
		return
	}
	req := driver.FindRequest{Key: p.key(t), Now: p.now}
	req.ID = p.someID(t, req.Key)
	want, wantErr := p.want.(driver.Finder).Find(p.ctx, req)
	got, gotErr := finder.Find(p.ctx, req)
	same(t, fmt.Sprintf("Find(%+v)", req), shown(got, gotErr), shown(want, wantErr))
}

func (p *pair) versions(t *rapid.T) {
	reader, ok := p.got.(driver.VersionReader)
	if !ok {
		return
	}
	req := driver.VersionsRequest{
		Key: p.key(t), Now: p.now, Newest: rapid.Bool().Draw(t, "newest"), Limit: rapid.IntRange(0, 3).Draw(t, "limit"),
		From: rapid.Int64Range(0, 5).Draw(t, "from"),
	}
	if rapid.Bool().Draw(t, "bounded") {
		req.To = rapid.Int64Range(max(1, req.From), 6).Draw(t, "to")
	}
	want, wantErr := collect(p.want.(driver.VersionReader).Versions(p.ctx, req))
	got, gotErr := collect(reader.Versions(p.ctx, req))
	same(t, fmt.Sprintf("Versions(%+v)", req), shownCheckpoints(got, gotErr), shownCheckpoints(want, wantErr))
}

// deletePrefix removes what the list shows, so it may differ where that lags.
func (p *pair) deletePrefix(t *rapid.T) {
	deleter, ok := p.got.(driver.PrefixDeleter)
	if !ok || p.indexLag {
		return
	}
	req := driver.DeletePrefixRequest{
		Namespace: p.key(t).Namespace, Now: p.now,
		Prefix: rapid.SampledFrom(slices.Concat(sideThreads, sidePrefixes[2:])).Draw(t, "prefix"),
	}
	want, wantErr := p.want.(driver.PrefixDeleter).DeletePrefix(p.ctx, req)
	got, gotErr := deleter.DeletePrefix(p.ctx, req)
	same(t, fmt.Sprintf("DeletePrefix(%+v)", req), fmt.Sprint(got, class(gotErr)), fmt.Sprint(want, class(wantErr)))
	list := driver.ListRequest{Namespace: req.Namespace, Now: p.now}
	left, leftErr := collect(p.got.List(p.ctx, list))
	wantLeft, wantLeftErr := collect(p.want.List(p.ctx, list))
	same(t, fmt.Sprintf("List after DeletePrefix(%+v)", req), shownAll(left, leftErr), shownAll(wantLeft, wantLeftErr))
}

func shownCheckpoints(checkpoints []driver.Checkpoint, err error) string {
	var lines []string
	for _, cp := range checkpoints {
		lines = append(lines, shown(cp.Info, nil)+" holds "+fingerprint(cp.Encoding, cp.Payload))
	}
	return class(err) + " " + strings.Join(lines, "; ")
}
