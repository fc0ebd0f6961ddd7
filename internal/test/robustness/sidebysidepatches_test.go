package robustness

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"

	"github.com/go-ckpt/checkpoint/driver"
)

// patch saves a patch against the latest version, or against what is not: another
// version, other bytes, nothing.
func (p *pair) patch(t *rapid.T) {
	if _, ok := p.got.(driver.Patcher); !ok {
		return
	}
	req := driver.PatchRequest{SaveRequest: driver.SaveRequest{
		Key: p.key(t), ID: p.newID(), Now: p.now, ExpiresAt: p.expiry(t), Keep: rapid.SampledFrom([]int{1, 2, 3, driver.KeepAll}).Draw(t, "keep"),
	}}
	req.Metadata = rapid.SampledFrom(sideMetadata).Draw(t, "metadata")
	req.Encoding, req.Payload = "json+patch", rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "patch")
	req.Digest = "digest-" + req.ID
	if rapid.IntRange(0, 4).Draw(t, "another's id") == 0 {
		req.ID = p.someID(t, req.Key)
	}
	if rapid.IntRange(0, 3).Draw(t, "condition") == 0 {
		req.Match = p.match(t, req.Key)
	}
	req.Base, req.Previous = 1, driver.Previous{ID: "none", Digest: "none"}
	if cp, err := p.want.Load(p.ctx, driver.LoadRequest{Key: req.Key, Now: p.now}); err == nil && cp.Digest != "" {
		req.Previous = driver.Previous{ID: cp.ID, Digest: cp.Digest}
		if req.Base = cp.Base; cp.Base == 0 {
			req.Base = cp.Version
		}
	}
	switch rapid.IntRange(0, 9).Draw(t, "made against") {
	case 0:
		req.Previous.ID = p.someID(t, req.Key)
	case 1:
		req.Previous.Digest += "?"
	}
	p.last = &req
	p.repeatPatch(t)
	p.compareLoad(t, driver.LoadRequest{Key: req.Key, Now: p.now})
}

func (p *pair) repeatPatch(t *rapid.T) {
	want, wantErr := p.want.(driver.Patcher).SavePatch(p.ctx, *p.last)
	got, gotErr := p.got.(driver.Patcher).SavePatch(p.ctx, *p.last)
	same(t, fmt.Sprintf("SavePatch(%v, match %+v, against %+v)", p.last, p.last.Match, p.last.Previous), shown(got, gotErr), shown(want, wantErr))
}

// rewriteChain lets a rewriting have a digest, and be one of a version that the
// latest one needs, visible or not.
func (p *pair) rewriteChain(t *rapid.T, req *driver.RewriteRequest) {
	if _, ok := p.got.(driver.Patcher); !ok {
		return
	}
	if cp, err := p.want.Load(p.ctx, driver.LoadRequest{Key: req.Key, Now: p.now}); err == nil && len(cp.Links) > 0 && rapid.Bool().Draw(t, "link") {
		l := rapid.SampledFrom(cp.Links).Draw(t, "which")
		req.Version, req.ID = l.Version, l.ID
	}
	if rapid.Bool().Draw(t, "digest") {
		req.Digest = fmt.Sprint("anew-", p.saves)
	}
}

// shownLinks is what a checkpoint brings along as text that can be compared.
func shownLinks(cp driver.Checkpoint) string {
	lines := []string{"digest " + cp.Digest}
	for _, l := range cp.Links {
		lines = append(lines, fmt.Sprintf("%d %s %s base %d %s", l.Version, l.ID, l.Encoding, l.Base, fingerprint(l.Encoding, l.Payload)))
	}
	return strings.Join(lines, "; ")
}
