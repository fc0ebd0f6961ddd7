package dynamodb

import (
	"context"
	"fmt"
	"hash/maphash"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
)

// Some items are found by a name that others hold, and by nothing else: the parts of
// a payload by the name of their set, older versions and markers by that of a life.
// Where all that held the name is gone they stay for ever, unless the whole table is
// read for them.
//
// That nobody holds a name is proved, and by no clock. Names are random, and of one
// payload or one life. Whoever makes one writes a journal that holds it first; then it
// is the head that holds it, and then, of a payload, the item of the older version that
// the head has become. The next holder is written before the one before it goes, and a
// name never goes back. So a reading of the whole table that does not find a name has
// found it held by nobody, or it was handed on meanwhile, which happens twice at most.
// What three readings do not find, one after another, that all began after the item was
// seen, nobody holds, and nobody will hold again. A writer that is held up is under its
// journal meanwhile, or has been taken for dead by Purge and gives up; see outlived.
const proofs = 3

// maxUnnamed is how many items without a holder are looked into at a time.
const maxUnnamed = 100_000

// nameHolders are the attributes in which items hold names.
var nameHolders = []string{keyAttribute, "id", "life", "chunks", "runs", "journal"}

// unnamed are the keys of items, by the name that they are found by.
type unnamed map[string][]string

// collect reads the table twice, for the names that are held and for the items that
// are found by others, and three times more where there are such items, as many at a
// time as limit says.
func (b *backend) collect(ctx context.Context, req driver.CollectRequest, limit int) (int64, error) {
	if err := b.planCollect(ctx, req.Before); err != nil {
		return 0, err
	}
	held := newNameFilter()
	_, err := b.readTable(ctx, false, nil, nameHolders, func(page []attributes) (bool, error) {
		return true, eachHeld(page, held.add)
	})
	if err != nil {
		return 0, err
	}
	var removed int64
	for start := attributes(nil); ; {
		found, next, err := b.unnamed(ctx, held, start, limit)
		if err != nil {
			return removed, err
		}
		for i := 0; i < proofs && len(found) > 0; i++ {
			_, err := b.readTable(ctx, true, nil, nameHolders, func(page []attributes) (bool, error) {
				return len(found) > 0, eachHeld(page, func(name string) { delete(found, name) })
			})
			if err != nil {
				return removed, err
			}
		}
		n, err := b.removeUnnamed(ctx, found, req.DryRun)
		if removed += n; err != nil || next == nil {
			return removed, err
		}
		start = next
	}
}

// planCollect looks at the table and tells what reading it costs.
func (b *backend) planCollect(ctx context.Context, before func(driver.CollectPlan) error) error {
	op, err := b.begin(ctx)
	if err != nil {
		return err
	}
	table, err := op.describe(ctx)
	if err == nil && table == nil { // nobody has called Ping
		if err = op.prepare(ctx); err == nil {
			table, err = op.describe(ctx)
		}
	}
	op.end()
	switch {
	case err != nil:
		return err
	case table == nil:
		return b.cfg.missing("")
	}
	if len(table.Replicas) > 0 && table.MultiRegionConsistency != types.MultiRegionConsistencyStrong {
		return fmt.Errorf("%w: the table %q has replicas in other regions, from where parts of a state may arrive before the items that name them: nothing can be collected there", driver.ErrInvalid, b.cfg.Table)
	}
	if before == nil {
		return nil
	}
	size := aws.ToInt64(table.TableSizeBytes)
	units := size/4096 + 1 // of two readings that are eventually consistent
	return before(driver.CollectPlan{Bytes: size, Cost: fmt.Sprintf(
		"the table %q is read twice, and three times more where something is found: %.1f MB when DynamoDB last counted them, up to six hours ago, about %d to %d read units",
		b.cfg.Table, float64(size)/1e6, units, (1+proofs)*units)})
}

// readTable reads the table from a key on, page by page, each of which is an operation.
// It ends where a page says that no more are wanted, and returns the key to go on from,
// nil after the last.
func (b *backend) readTable(ctx context.Context, consistent bool, start attributes, names []string, each func([]attributes) (more bool, err error)) (attributes, error) {
	in := &dynamodb.ScanInput{TableName: aws.String(b.cfg.Table), ConsistentRead: &consistent, ExclusiveStartKey: start}
	in.ProjectionExpression, in.ExpressionAttributeNames = projection(names)
	for {
		page, err := b.readPage(ctx, in)
		if err != nil {
			return nil, err
		}
		more, err := each(page.Items)
		if in.ExclusiveStartKey = page.LastEvaluatedKey; err != nil || !more || in.ExclusiveStartKey == nil {
			return in.ExclusiveStartKey, err
		}
	}
}

func (b *backend) readPage(ctx context.Context, in *dynamodb.ScanInput) (out *dynamodb.ScanOutput, err error) {
	op, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer op.end()
	err = op.do(ctx, func(ctx context.Context) (err error) {
		out, err = op.client.Scan(ctx, in)
		return err
	})
	return out, err
}

// unnamed returns items that are found by a name which held does not have, about limit
// of them, and where to go on.
func (b *backend) unnamed(ctx context.Context, held *nameFilter, start attributes, limit int) (unnamed, attributes, error) {
	found, n := make(unnamed), 0
	next, err := b.readTable(ctx, false, start, []string{keyAttribute}, func(page []attributes) (bool, error) {
		for _, a := range page {
			key := (&reader{a: a}).text(keyAttribute)
			if name := foundBy(key); name != "" && !held.has(name) {
				found[name] = append(found[name], key)
				n++
			}
		}
		return n < limit, nil
	})
	return found, next, err
}

// The names of sets of parts and of lives, told apart.
func partsName(set string) string { return "c" + set }
func lifeName(life string) string { return "l" + life }

// foundBy returns the name that an item with this key is found by, "" for what has a
// key that is known without one, and for what this driver has not written.
func foundBy(key string) string {
	kind, rest, _ := ofKey(key)
	name, _, ok := strings.Cut(rest, "#")
	if !ok || len(name) < 26 || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return ""
	}
	switch kind {
	case "c":
		return partsName(name)
	case "v", "i":
		return lifeName(name)
	}
	return ""
}

// ofKey returns the kind of an item, which its key says, and the rest of the key.
func ofKey(key string) (kind, rest string, ours bool) {
	if rest, ours = strings.CutPrefix(key, reserved); ours {
		kind, rest, ours = strings.Cut(rest, "#")
	}
	return kind, rest, ours
}

// eachHeld calls f with the names that items hold. One that cannot be read may hold
// any.
func eachHeld(page []attributes, f func(name string)) error {
	for _, a := range page {
		r := &reader{a: a}
		key := r.text(keyAttribute)
		kind, _, ours := ofKey(key)
		switch {
		case ours && (kind == "c" || kind == "i"):
			continue
		case ours && kind == "j":
			j, err := readJournal(a)
			if err != nil {
				return err
			}
			f(lifeName(j.Life))
			for _, set := range j.Chunks {
				f(partsName(set.Name))
			}
			continue
		case ours && kind != "h" && kind != "v":
			return fmt.Errorf("%w: the table has an item of a kind that this release does not know: use the release that wrote it", driver.ErrCorrupt)
		}
		f(lifeName(r.text("life")))
		f(partsName(r.text("chunks")))
		for _, run := range r.runs("runs") {
			f(partsName(run.parts.Name))
		}
		if _, written := a["id"]; r.bad != "" && (ours || written) { // else it is another program's
			return fmt.Errorf("%w: the attribute %q of the item %q is not what this driver writes", driver.ErrCorrupt, r.bad, key)
		}
	}
	return nil
}

// removeUnnamed removes items, and returns how many. Versions go after their parts.
func (b *backend) removeUnnamed(ctx context.Context, found unnamed, dryRun bool) (removed int64, err error) {
	var keys []string
	for _, some := range found {
		for _, key := range some {
			if keys = append(keys, key); len(keys) == maxGet {
				n, err := b.removeSome(ctx, keys, dryRun)
				if removed += n; err != nil {
					return removed, err
				}
				keys = nil
			}
		}
	}
	n, err := b.removeSome(ctx, keys, dryRun)
	return removed + n, err
}

// removeSome removes at most a hundred items, and the parts that they name.
func (b *backend) removeSome(ctx context.Context, keys []string, dryRun bool) (removed int64, err error) {
	op, err := b.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer op.end()
	var versions []string
	var all removals
	for _, key := range keys {
		if kind, _, _ := ofKey(key); kind == "v" {
			versions = append(versions, key)
			all.versions = append(all.versions, remove(key))
		} else {
			all.named = append(all.named, remove(key))
		}
	}
	stored, err := op.getAll(ctx, true, versions, keyAttribute, "chunks", "parts")
	if err != nil {
		return 0, err
	}
	for _, a := range stored {
		r := &reader{a: a}
		if set := (chunkSet{r.text("chunks"), int(r.number("parts"))}); 0 < set.Parts && set.Parts <= maxParts {
			all.named = append(all.named, removeParts(set)...)
		}
	}
	for _, requests := range [][]types.WriteRequest{distinct(all.named), all.versions} {
		if !dryRun {
			if err := op.write(ctx, requests); err != nil {
				return removed, err
			}
		}
		removed += int64(len(requests))
	}
	return removed, nil
}

// A nameFilter is a Bloom filter of names: it has all that were added, and takes few
// others for one of them, one in a hundred with 14 million names. Each is made with a
// seed of its own, so that what one hides another shows.
type nameFilter struct {
	seeds [2]maphash.Seed
	bits  []uint64
}

const (
	filterBits   = 16 << 20 * 8 // 16 MiB
	filterProbes = 7
)

func newNameFilter() *nameFilter {
	return &nameFilter{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, bits: make([]uint64, filterBits/64)}
}

func (f *nameFilter) add(name string) {
	f.each(name, func(word *uint64, bit uint64) bool { *word |= bit; return true })
}

func (f *nameFilter) has(name string) bool {
	return f.each(name, func(word *uint64, bit uint64) bool { return *word&bit != 0 })
}

// each calls probe with the places of a name, until one says false.
func (f *nameFilter) each(name string, probe func(word *uint64, bit uint64) bool) bool {
	at, step := maphash.String(f.seeds[0], name), maphash.String(f.seeds[1], name)|1
	for range filterProbes {
		if place := at % filterBits; !probe(&f.bits[place/64], 1<<(place%64)) {
			return false
		}
		at += step
	}
	return true
}
