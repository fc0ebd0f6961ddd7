package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/go-ckpt/checkpoint/driver"
)

// A patch is in the item of its version from the beginning, and the head names it
// only: so that a save writes the patch and a small head, in one transaction, and
// copies nothing. The whole state before the first patch is in the head as ever, and
// becomes an older version as the history makes them, once for each chain.
//
// Versions that nobody sees and some patch needs lie where those lie that a history
// has dropped, between swept and first. What the lowest kept version needs is not
// swept.

// A run is one chain of patches in a head.
type run struct {
	base, last int64    // the version of the whole state, and of the last patch
	parts      chunkSet // of the whole state, if it is in parts and they are known
}

// maxRuns is how many runs a head holds, the newest. Older versions say of themselves
// what they need.
const maxRuns = 10

func formatRuns(runs []run) string {
	var b strings.Builder
	for i, r := range runs {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%d %d", r.base, r.last)
		if r.parts.Name != "" {
			fmt.Fprintf(&b, " %s %d", r.parts.Name, r.parts.Parts)
		}
	}
	return b.String()
}

func (r *reader) runs(name string) []run {
	text := r.text(name)
	if text == "" {
		return nil
	}
	var runs []run
	for line := range strings.SplitSeq(text, "\n") {
		var n run
		if found, _ := fmt.Sscan(line, &n.base, &n.last, &n.parts.Name, &n.parts.Parts); found != 2 && found != 4 ||
			n.base < 1 || n.last <= n.base || n.last > driver.MaxVersion || n.parts.Parts < 0 || n.parts.Parts > maxParts || len(runs) == maxRuns {
			r.fail(name)
			return nil
		}
		runs = append(runs, n)
	}
	return runs
}

// takes reports whether a head is what a patch was made against.
func (i *item) takes(req driver.PatchRequest) bool {
	base := i.Base
	if base == 0 {
		base = i.Version
	}
	return i.ID == req.Previous.ID && i.proof != "" && i.proof == req.Previous.Digest && req.Base == base
}

// goOn returns the runs of the head that follows one.
func (i *item) goOn(next *item) []run {
	runs := slices.DeleteFunc(slices.Clone(i.runs), func(r run) bool { return r.last < min(next.first, i.Version) })
	switch {
	case next.Base == 0:
	case i.Base == 0:
		runs = append(runs, run{i.Version, next.Version, chunkSet{i.chunks, i.parts}})
	case len(runs) > 0:
		runs[len(runs)-1].last = next.Version
	}
	return runs[max(0, len(runs)-maxRuns):]
}

// runOf returns the run that a version of a head's life belongs to; the zero run is
// none, or none that the head holds.
func (i *item) runOf(version int64) run {
	for _, r := range i.runs {
		if r.base < version && version <= r.last {
			return r
		}
	}
	return run{}
}

// needed returns the lowest version that the kept ones of a head need.
func (op *operation) needed(ctx context.Context, head *item) (int64, error) {
	low := head.visible()
	switch r := head.runOf(low); {
	case r.base != 0:
		return r.base, nil
	case low == head.Version, len(head.runs) < maxRuns, low >= head.runs[0].base:
		return low, nil
	}
	a, err := op.get(ctx, versionKey(head.life, low), keyAttribute, "version", "base")
	if err != nil {
		return 0, err
	}
	r := &reader{a: a}
	switch base := r.number("base"); {
	case a == nil: // removed meanwhile
		return head.lowest(), nil
	case base == 0:
		return low, nil
	case r.bad != "" || base < low-driver.MaxChain || base >= low:
		return 0, fmt.Errorf("%w: the attribute %q of its item is not what this driver writes", driver.ErrCorrupt, "base")
	default:
		return base, nil
	}
}

// putLatest makes a version the latest: its head, and with a patch its own item too.
// The error is DynamoDB's own.
func (op *operation) putLatest(ctx context.Context, old, next *item) error {
	if next.Base == 0 {
		return op.putHead(ctx, old, next)
	}
	return op.putBoth(ctx, old, next, nil)
}

// putBoth writes a head whose version is a patch, and the item of that version, which
// has to be as it was read, if it was.
func (op *operation) putBoth(ctx context.Context, old, next, version *item) error {
	head := &types.Put{TableName: op.table, Item: next.head()}
	head.ConditionExpression, head.ExpressionAttributeNames, head.ExpressionAttributeValues = unchanged(old)
	latest := *next
	latest.rewrite += "+" // see putOlder: nobody may put a copy of the head in its place
	patch := &types.Put{TableName: op.table, Item: latest.stored(versionKey(next.life, next.Version))}
	if version != nil {
		patch.ConditionExpression, patch.ExpressionAttributeNames, patch.ExpressionAttributeValues = unchanged(version)
	}
	return op.putTogether(ctx, old, head, patch)
}

// withoutTransactions reports whether an error says that this server, which is none of
// Amazon's, has no transactions. States are then saved whole.
func (op *operation) withoutTransactions(err error) bool {
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "UnknownOperationException" {
		op.wholeOnly.Store(true)
		return true
	}
	return false
}

// readChain reads a version and what it needs from base on, and reports whether all of
// it was there. The parts of the whole state come with them where the head knows them.
func (op *operation) readChain(ctx context.Context, head *item, r run, version int64) (cp driver.Checkpoint, whole bool, err error) {
	var keys []string
	for v := r.base; v <= version; v++ {
		keys = append(keys, versionKey(head.life, v))
	}
	for n := range min(r.parts.Parts, maxGet-len(keys)) {
		keys = append(keys, chunkKey(r.parts.Name, n))
	}
	found, err := op.getAll(ctx, true, keys)
	if err != nil {
		return cp, false, err
	}
	whole = true
	for v := r.base; v <= version; v++ {
		a, ok := found[versionKey(head.life, v)]
		var i *item
		if ok {
			if i, err = readItem(head.Key, a); err != nil {
				return cp, false, err
			}
			if i.Version != v {
				return cp, false, fmt.Errorf("%w: the item of version %d says that it is version %d", driver.ErrCorrupt, v, i.Version)
			}
			if ok, err = op.readPartsWith(ctx, i, found); err != nil {
				return cp, false, err
			}
		}
		switch {
		case !ok:
			whole = false
		case v < version:
			cp.Links = append(cp.Links, driver.Link{Version: v, ID: i.ID, Encoding: i.Encoding, Base: i.Base, Payload: i.payload})
		default:
			cp.Info, cp.Payload, cp.Digest = i.Info, i.payload, i.proof
		}
	}
	return cp, whole, nil
}
