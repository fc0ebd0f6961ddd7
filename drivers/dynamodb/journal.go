package dynamodb

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
)

// A journal names items that nobody may refer to before long: it is written
// before them, or before the head lets go of them, and removed after they are.
// A process that dies in between leaves it to Purge, which looks at the head and
// removes what that does not refer to.
type journal struct {
	Key    driver.Key
	ID     string // "" until it is written
	At     time.Time
	Life   string     // of the older versions from From to To
	From   int64      // 0 where there are none
	To     int64      //
	Latest int64      // the version of the head that had them
	Large  bool       // some of them may be in parts
	Chunks []chunkSet // further parts of payloads
}

// A chunkSet is the parts of a payload.
type chunkSet struct {
	Name  string
	Parts int
}

func removeParts(set chunkSet) []types.WriteRequest {
	if set.Name == "" {
		return nil
	}
	var requests []types.WriteRequest
	for n := range set.Parts {
		requests = append(requests, remove(chunkKey(set.Name, n)))
	}
	return requests
}

// maxJournal bounds the versions of a journal that is read: a damaged one must
// not have Purge count to the end of the numbers.
const maxJournal = 10_000_000

// journalAge is how old a journal is before Purge takes its writer for dead.
const journalAge = time.Hour

// outlived reports whether Purge may take the writer for dead by now, which has
// been held up for so long. It goes by the clock on the wall, which a suspended
// machine does not stop.
func (j *journal) outlived() bool {
	return j.ID != "" && time.Now().Round(0).Sub(j.At) > journalAge/2
}

func (j *journal) empty() bool { return j.From == 0 && len(j.Chunks) == 0 }

// drops notes everything but the head of a thread: also a copy of the head as an
// older version, which a save that died may have left.
func (j *journal) drops(old *item) {
	if low := old.lowest(); low < old.Version {
		j.Life, j.From, j.To, j.Latest, j.Large = old.life, low, old.Version, old.Version, old.large
	}
	if old.chunks != "" {
		j.Chunks = append(j.Chunks, chunkSet{old.chunks, old.parts})
	}
}

// keep takes out the parts that are referred to.
func (j *journal) keep(chunks string) {
	var rest []chunkSet
	for _, set := range j.Chunks {
		if set.Name != chunks {
			rest = append(rest, set)
		}
	}
	j.Chunks = rest
}

// open writes the journal, if it says anything.
func (op *operation) open(ctx context.Context, j *journal) error {
	if j.empty() {
		return nil
	}
	j.ID, j.At = rand.Text(), time.Now().UTC().Round(0)
	text, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("%w: the journal cannot be encoded", driver.ErrInvalid)
	}
	a := keyOf(journalKey(j.ID))
	a[listAttribute], a[nameAttribute] = str(journalList(j.Key.Namespace)), str(j.ID)
	a["journal"] = str(string(text))
	return op.write(ctx, []types.WriteRequest{put(a)})
}

func readJournal(a attributes) (*journal, error) {
	r := &reader{a: a}
	j := new(journal)
	bad := json.Unmarshal([]byte(r.text("journal")), j) != nil || j.ID == "" ||
		j.From < 0 || j.To > driver.MaxVersion || j.To-j.From >= maxJournal
	for _, set := range j.Chunks {
		bad = bad || set.Parts < 0 || set.Parts > maxParts
	}
	if bad {
		return nil, fmt.Errorf("%w: a journal cannot be read", driver.ErrCorrupt)
	}
	return j, nil
}

// clean removes what the journal names, and the journal if it was written. What
// names others goes last, so that a removal that was cut off finds the rest.
func (op *operation) clean(ctx context.Context, j *journal) error {
	var all removals
	for _, set := range j.Chunks {
		all.named = append(all.named, removeParts(set)...)
	}
	if j.From != 0 {
		head := &item{Info: driver.Info{Key: j.Key, Version: j.Latest}, life: j.Life, large: j.Large}
		older, err := op.removals(ctx, head, j.From, j.To)
		if err != nil {
			return err
		}
		all.named, all.versions = append(all.named, older.named...), older.versions
	}
	if err := op.write(ctx, distinct(all.named)); err != nil {
		return err
	}
	if err := op.write(ctx, all.versions); err != nil || j.ID == "" {
		return err
	}
	return op.write(ctx, []types.WriteRequest{remove(journalKey(j.ID))})
}

// distinct leaves out removals of what is removed already: a head and its copy
// as an older version have the same parts, and DynamoDB refuses a request that
// names a key twice.
func distinct(removals []types.WriteRequest) []types.WriteRequest {
	seen := make(map[string]bool, len(removals))
	return slices.DeleteFunc(removals, func(w types.WriteRequest) bool {
		key := w.DeleteRequest.Key[keyAttribute].(*types.AttributeValueMemberS).Value
		known := seen[key]
		seen[key] = true
		return known
	})
}

// cleanQuietly is clean after a change that has been made: what it could not
// remove is left to Purge.
func (op *operation) cleanQuietly(ctx context.Context, j *journal) error {
	_ = op.clean(ctx, j)
	return nil
}

// finishOld does what the writers of old journals of a namespace have not done.
func (b *backend) finishOld(ctx context.Context, namespace string) error {
	op, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer op.end()
	journals, err := op.journals(ctx, namespace)
	if err != nil {
		return err
	}
	for _, j := range journals {
		if time.Since(j.At) < journalAge {
			continue
		}
		if err := op.finish(ctx, j); err != nil {
			return err
		}
	}
	return nil
}

// finish does what the writer of a journal, which is dead or was too slow, has
// not done.
func (op *operation) finish(ctx context.Context, j *journal) error {
	head, err := op.head(ctx, j.Key, infoNames...)
	if err != nil {
		return err
	}
	return op.finishBeside(ctx, j, head)
}

// finishBeside is finish with the head as it was read after the writer gave up;
// nil is none.
func (op *operation) finishBeside(ctx context.Context, j *journal, head *item) error {
	if head != nil {
		if j.From != 0 && head.life == j.Life {
			// In one life the lowest version that the head refers to only
			// rises: what lies below it, nobody will ever refer to.
			if j.To >= head.Version {
				// A copy of the head may be about to become an older version.
				// The journal is needed until the head has moved on.
				j.ID = ""
			}
			j.To = min(j.To, head.lowest()-1)
			j.Latest, j.Large = max(j.Latest, head.Version), j.Large || head.large
			if j.To < j.From {
				j.From = 0
			}
		}
		j.keep(head.chunks)
		if low := head.lowest(); len(j.Chunks) > 0 && low < head.Version {
			kept, _, err := op.older(ctx, head, low, head.Version-1)
			if err != nil {
				return err
			}
			for _, i := range kept {
				j.keep(i.chunks)
			}
		}
	}
	if head == nil || head.life != j.Life {
		// The life went on after the journal was written, and its versions may have
		// parts and markers, which another journal of that life finds by them alone.
		j.Large = true
	}
	return op.clean(ctx, j)
}

// journals returns the journals of a namespace.
func (op *operation) journals(ctx context.Context, namespace string) ([]*journal, error) {
	index, err := op.listIndex(ctx)
	if err != nil {
		return nil, err
	}
	var found []*journal
	take := func(a attributes) error {
		j, err := readJournal(a)
		if err == nil {
			found = append(found, j)
		}
		return err
	}
	if index == NoIndex {
		err := op.scanAll(ctx, op.filtered("#list = :list", attributes{":list": str(journalList(namespace))}, keyAttribute, "journal"), take)
		return found, err
	}
	l := listing{namespace: journalList(namespace)}
	var start attributes
	for {
		ids, next, err := op.queryNames(ctx, index, l, start)
		if err != nil {
			return nil, err
		}
		var keys []string
		for _, id := range ids {
			keys = append(keys, journalKey(id))
		}
		items, err := op.getAll(ctx, true, keys)
		if err != nil {
			return nil, err
		}
		for _, a := range items {
			if err := take(a); err != nil {
				return nil, err
			}
		}
		if start = next; start == nil {
			return found, nil
		}
	}
}

// Removals are what removes older versions. The items that versions alone name,
// their parts and markers, have to go before the versions do, in a request of their
// own: of one request DynamoDB may apply any part.
type removals struct{ named, versions []types.WriteRequest }

// removals returns what removes the older versions from low to high of a life. What
// cannot be read does not keep the others.
func (op *operation) removals(ctx context.Context, head *item, low, high int64) (removals, error) {
	var r removals
	for v := low; v <= high; v++ {
		r.versions = append(r.versions, remove(versionKey(head.life, v)))
	}
	if low > high || !head.large && head.Version-low < maxIDs {
		return r, nil
	}
	for ; low <= high; low += maxGet {
		var keys []string
		for v := low; v <= min(high, low+maxGet-1); v++ {
			keys = append(keys, versionKey(head.life, v))
		}
		found, err := op.getAll(ctx, true, keys, "id", "chunks", "parts", keyAttribute)
		if err != nil {
			return removals{}, err
		}
		for _, key := range keys {
			a := &reader{a: found[key]}
			if id := a.text("id"); id != "" {
				r.named = append(r.named, remove(markerKey(head.life, id)))
			}
			set := chunkSet{a.text("chunks"), int(a.number("parts"))}
			if 0 < set.Parts && set.Parts <= maxParts {
				r.named = append(r.named, removeParts(set)...)
			}
		}
	}
	return r, nil
}
