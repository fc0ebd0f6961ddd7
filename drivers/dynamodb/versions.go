package dynamodb

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
)

// A versionReader is where a loop over versions has come to.
type versionReader struct {
	driver.VersionsRequest
	life   string // "" before the first page
	left   int    // 0: no limit
	begun  bool   // a page has been read
	next   int64  // the version to go on with then
	larger int    // bytes of the largest payload of the page before
	before *item  // the head that named a version which was missing
	missed int    // how often one was missing, one after another
}

// A read is a version as it was read: err says what is wrong with it.
type read struct {
	item *item
	err  error
}

// readVersions reads page by page. The parts of large payloads are read one
// version after another, as the loop asks for them.
func (b *backend) readVersions(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
	return func(yield func(driver.Checkpoint, error) bool) {
		r := &versionReader{VersionsRequest: req, left: req.Limit}
		for {
			page, more, err := b.versionsPage(ctx, r)
			if err != nil {
				yield(driver.Checkpoint{}, err)
				return
			}
			for _, v := range page {
				kept, err := b.complete(ctx, v, req)
				switch {
				case err != nil:
					yield(driver.Checkpoint{}, err)
					return
				case !kept:
					continue
				case !yield(driver.Checkpoint{Info: v.item.Info, Payload: v.item.payload}, v.err):
					return
				}
				v.item.payload = nil // it belongs to the caller
				if r.left--; r.left == 0 {
					return
				}
			}
			if !more {
				return
			}
		}
	}
}

// versionsPage reads a page with two requests, the head and the versions, and
// reports whether there may be more.
func (b *backend) versionsPage(ctx context.Context, r *versionReader) ([]*read, bool, error) {
	op, err := b.begin(ctx)
	if err != nil {
		return nil, false, err
	}
	defer op.end()
	head, err := op.head(ctx, r.Key, infoNames...)
	if err != nil || head == nil || head.Expired(r.Now) {
		return nil, false, err
	}
	if head.legacy { // one version, read whole, under another life each time
		if r.begun || r.From > 1 {
			return nil, false, nil
		}
		return []*read{{item: head}}, false, nil
	}
	if r.life != "" && r.life != head.life {
		return nil, false, nil
	}
	r.life = head.life
	wanted := r.wanted(head)
	if len(wanted) == 0 {
		return nil, false, nil
	}
	var keys []string
	for _, v := range wanted {
		keys = append(keys, keyOfVersion(head, v))
	}
	// A head that moves on again and again is read as the older version that it has
	// become in between.
	ask := keys
	if r.missed > 0 && slices.Contains(keys, headKey(r.Key)) {
		ask = append(slices.Clone(keys), versionKey(head.life, head.Version))
	}
	found, rest, err := op.getSome(ctx, ask)
	if err != nil {
		return nil, false, err
	}
	page, err := op.taken(ctx, r, head, wanted, keys, found, rest)
	return page, !r.over(head, page), err
}

// over reports whether a page ends with the last version of the loop, as the head
// that was read for it says. What is saved afterwards is not looked for.
func (r *versionReader) over(head *item, page []*read) bool {
	if len(page) == 0 {
		return false
	}
	low, high := r.bounds(head)
	last := page[len(page)-1].item.Version
	return r.Newest && last <= low || !r.Newest && last >= high
}

// bounds returns the lowest and the highest version of the loop that the head says
// are kept.
func (r *versionReader) bounds(head *item) (low, high int64) {
	low, high = max(r.From, 1), head.Version
	if head.first != 0 {
		low = max(low, head.first)
	} else {
		low = max(low, head.Version)
	}
	if r.To != 0 {
		high = min(high, r.To)
	}
	return low, high
}

// wanted returns the versions of the next page, in the order of the loop.
func (r *versionReader) wanted(head *item) []int64 {
	low, high := r.bounds(head)
	switch {
	case !r.begun:
	case r.Newest:
		high = min(high, r.next)
	default:
		low = max(low, r.next)
	}
	n := int64(driver.VersionsPage)
	if r.left > 0 {
		n = min(n, int64(r.left))
	}
	// Payloads are as large as the present one, or as those before.
	size := r.larger
	if head.chunks == "" {
		size = max(size, head.Size)
	}
	if size > 0 {
		n = min(n, max(2, int64(driver.VersionsBytes/size)))
	}
	var wanted []int64
	for i := range max(0, min(n, high-low+1)) {
		if r.Newest {
			wanted = append(wanted, high-i)
		} else {
			wanted = append(wanted, low+i)
		}
	}
	return wanted
}

// taken returns the versions of a page as far as they have come in order and keep
// its bound of bytes; the next page goes on after them.
func (op *operation) taken(ctx context.Context, r *versionReader, head *item, wanted []int64, keys []string, found map[string]attributes, rest map[string]bool) ([]*read, error) {
	var page []*read
	bytes := 0
	r.larger = 0
	for n, version := range wanted {
		a, ok := found[keys[n]]
		if rest[keys[n]] {
			break
		}
		if older, superseded := found[versionKey(head.life, version)]; superseded {
			a, ok = older, true
		}
		v := &read{item: &item{Info: driver.Info{Key: r.Key, Version: version}}}
		if ok {
			if i, err := readItem(r.Key, a); err != nil {
				v.err = err
			} else if i.Version == version {
				v.item = i
			} else if keys[n] == headKey(r.Key) {
				ok = false // the head has moved on
			} else {
				v.err = fmt.Errorf("%w: its item says that it is version %d", driver.ErrCorrupt, i.Version)
			}
		}
		if !ok {
			if len(page) > 0 {
				break // the next page looks whether it was dropped
			}
			if r.before == nil || !r.before.same(head) {
				r.before = head
				if r.missed++; r.missed > rereads {
					return nil, fmt.Errorf("%w: the thread changes faster than it can be read; try again", driver.ErrUnavailable)
				}
				return nil, pause(ctx, min(r.missed-1, 3))
			}
			v.err = fmt.Errorf("%w: an item that the head names is missing", driver.ErrCorrupt)
		}
		if bytes += len(v.item.payload); bytes > driver.VersionsBytes && len(page) >= 2 {
			break
		}
		r.larger = max(r.larger, len(v.item.payload))
		page = append(page, v)
	}
	if len(page) == 0 { // DynamoDB has left all of it for later
		if r.missed++; r.missed > rereads {
			return nil, op.throttled()
		}
		return nil, pause(ctx, r.missed)
	}
	r.before, r.missed, r.begun = nil, 0, true
	if last := page[len(page)-1].item.Version; r.Newest {
		r.next = last - 1
	} else {
		r.next = last + 1
	}
	return page, nil
}

// complete reads the parts of a version, and reports whether the version is still
// kept.
func (b *backend) complete(ctx context.Context, v *read, req driver.VersionsRequest) (bool, error) {
	if v.err != nil {
		return true, nil
	}
	if v.item.chunks == "" {
		if v.err = v.item.checkInline(); v.err != nil {
			v.item.payload = nil
		}
		return true, nil
	}
	op, err := b.begin(ctx)
	if err != nil {
		return false, err
	}
	defer op.end()
	var before *item
	for attempt := 0; ; attempt++ {
		whole, err := op.readParts(ctx, v.item)
		switch {
		case isCorrupt(err):
			v.item.payload, v.err = nil, err
			return true, nil
		case err != nil || whole:
			return true, err
		}
		head, err := op.head(ctx, req.Key, infoNames...)
		if err != nil || head == nil {
			return false, err
		}
		if again, err := op.get(ctx, keyOfVersion(head, v.item.Version)); err != nil || again == nil {
			return false, err // dropped, or of another life
		} else if i, err := readItem(req.Key, again); err != nil || i.ID != v.item.ID || i.Version != v.item.Version {
			return false, nil
		} else {
			v.item = i
		}
		if err := op.missed(ctx, before, head, attempt); isCorrupt(err) {
			v.err = err
			return true, nil
		} else if err != nil {
			return false, err
		}
		before = head
	}
}

// keyOfVersion returns the key under which the payload of a version is stored.
func keyOfVersion(head *item, version int64) string {
	if version == head.Version && head.Base == 0 {
		return headKey(head.Key)
	}
	return versionKey(head.life, version)
}

// getSome reads as many of some items as DynamoDB returns at once. It returns those
// that are there, by key, and the keys that it has left for later.
func (op *operation) getSome(ctx context.Context, keys []string) (found map[string]attributes, rest map[string]bool, err error) {
	ask := types.KeysAndAttributes{ConsistentRead: aws.Bool(true)}
	for _, k := range keys {
		ask.Keys = append(ask.Keys, keyOf(k))
	}
	items, left, err := op.getBatch(ctx, ask)
	if err != nil {
		return nil, nil, err
	}
	found, rest = make(map[string]attributes, len(keys)), make(map[string]bool)
	for _, a := range items {
		r := &reader{a: a}
		found[r.text(keyAttribute)] = a
	}
	for _, a := range left.Keys {
		r := &reader{a: a}
		rest[r.text(keyAttribute)] = true
	}
	return found, rest, nil
}
