package dynamodb

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
)

// An item is a checkpoint as it is stored: as the head of its thread, which is
// its latest checkpoint, or as an older version.
type item struct {
	driver.Info
	payload []byte

	// A payload that does not fit into the item is in parts of its own.
	chunks string // their name, unique to this payload; "" where there are none
	parts  int
	digest string // SHA-256 of the payload, in hexadecimal

	// What a head says of its thread.
	life    string   // random, unique to the life of the thread; in the keys of its older versions
	first   int64    // the lowest older version that is kept; 0 where there is none
	swept   int64    // the lowest older version that may still be stored; 0 where first says it
	ids     []string // of the older versions, newest first, at most maxIDs
	large   bool     // some version of this life is or was in parts
	runs    []run    // of the versions that are kept, those that are patches; see chain.go
	rewrite string   // unique to the last change of the payload by Rewrite; see rewritten

	proof string // the Digest of a save, "" for none

	// Of an item that another program wrote, which has no id.
	legacy  bool
	foreign attributes // what a change of it is known by, see foreignNames
}

// Limits of an item, which has 409,600 bytes at most.
const (
	maxInline = 395_000 // bytes of payload beside the rest of an item
	chunkSize = 390_000 // bytes of a part of a larger payload
	maxParts  = 4096
)

// foreignNames are the attributes that another program writes beside the key.
var foreignNames = []string{"state", "updated_at", "ttl"}

// maxIDs is how many ids of older versions a head holds. Those of a longer
// history are found through items of their own.
const maxIDs = 100

// older returns how many older versions are kept.
func (i *item) older() int64 {
	if i.first == 0 {
		return 0
	}
	return i.Version - i.first
}

// visible returns the lowest version that is kept.
func (i *item) visible() int64 {
	if i.first == 0 {
		return i.Version
	}
	return i.first
}

// lowest returns the lowest older version that may be stored, or Version.
func (i *item) lowest() int64 {
	switch {
	case i.swept != 0:
		return i.swept
	case i.first != 0:
		return i.first
	}
	return i.Version
}

// childless reports whether the head is the thread's only item.
func (i *item) childless() bool { return i.first == 0 && i.swept == 0 && i.chunks == "" }

// checkpointAttributes are those that a save sets, without the payload. What is
// nil is to be absent.
func checkpointAttributes(i *item) attributes {
	a := attributes{
		"id":         str(i.ID),
		"encoding":   str(i.Encoding),
		"size":       num(int64(i.Size)),
		"saved_at":   micros(i.SavedAt),
		"updated_at": str(i.SavedAt.Format(time.RFC3339Nano)),
		"proof":      nil,
		"metadata":   nil,
		"expires_at": nil,
		"ttl":        nil,
		"state":      nil,
		"data":       nil,
	}
	if i.proof != "" {
		a["proof"] = str(i.proof)
	}
	if len(i.Metadata) > 0 {
		m := make(attributes, len(i.Metadata))
		for k, v := range i.Metadata {
			m[k] = str(v)
		}
		a["metadata"] = &types.AttributeValueMemberM{Value: m}
	}
	if !i.ExpiresAt.IsZero() {
		a["expires_at"] = micros(i.ExpiresAt)
	}
	if i.chunks == "" {
		if i.Encoding == "json" {
			a["state"] = str(string(i.payload))
		} else {
			a["data"] = bin(i.payload)
		}
	}
	return a
}

// ttlGrace is how long after its expiry DynamoDB may remove a thread: readers
// whose clock is late still find it.
const ttlGrace = time.Hour

// ttl is when DynamoDB may remove a head by itself, in seconds. One that has
// other items is left to Purge, which removes them too. One that is expired when it
// is written stays as long: it may be an older version of a thread that is being
// imported, and the next one is on its way.
func (i *item) ttl() types.AttributeValue {
	if i.ExpiresAt.IsZero() || !i.childless() {
		return nil
	}
	over := i.ExpiresAt
	if now := time.Now(); over.Before(now) {
		over = now
	}
	return num(over.Add(ttlGrace).Unix() + 1)
}

// head returns the whole item of a thread's head. The payload of a patch is in the
// item of its version.
func (i *item) head() attributes {
	a := i.stored(headKey(i.Key))
	if i.Base != 0 {
		delete(a, "state")
		delete(a, "data")
	}
	if len(i.runs) > 0 {
		a["runs"] = str(formatRuns(i.runs))
	}
	a[listAttribute] = str(i.Namespace)
	a[nameAttribute] = str(i.Thread)
	a["life"] = str(i.life)
	if t := i.ttl(); t != nil {
		a["ttl"] = t
	}
	if i.first != 0 {
		a["first"] = num(i.first)
	}
	if i.swept != 0 {
		a["swept"] = num(i.swept)
	}
	if len(i.ids) > 0 {
		a["ids"] = str(strings.Join(i.ids, "\n"))
	}
	if i.large {
		a["large"] = boolean(true)
	}
	return a
}

// rewritten returns the mark of another change by Rewrite. Marks of one version
// sort in the order of their making, after none.
func rewritten(before string) string {
	n := 0
	if strings.HasPrefix(before, "~") && len(before) > 9 { // else none, or one without order, which sorts before '~'
		n, _ = strconv.Atoi(before[1:9])
	}
	return fmt.Sprintf("~%08d.%s", n+1, rand.Text())
}

// stored returns the item of a checkpoint under a key.
func (i *item) stored(key string) attributes {
	a := checkpointAttributes(i)
	maps.DeleteFunc(a, func(_ string, v types.AttributeValue) bool { return v == nil })
	a[keyAttribute] = str(key)
	a["version"] = num(i.Version)
	a["created_at"] = micros(i.CreatedAt)
	if i.chunks != "" {
		a["chunks"] = str(i.chunks)
		a["parts"] = num(int64(i.parts))
		a["digest"] = str(i.digest)
	}
	if i.Base != 0 {
		a["base"] = num(i.Base)
	}
	if i.rewrite != "" {
		a["rewrite"] = str(i.rewrite)
	}
	return a
}

// readItem reads an item of a thread. Without its payload, which a projection
// may have left out, everything else is there.
func readItem(key driver.Key, a attributes) (*item, error) {
	r := &reader{a: a}
	i := &item{Info: driver.Info{Key: key}}
	if _, ok := a["id"]; !ok {
		return readLegacy(r, i)
	}
	i.ID = r.text("id")
	i.Version = r.number("version")
	i.Encoding = r.text("encoding")
	i.Size = int(r.number("size"))
	i.CreatedAt, i.SavedAt, i.ExpiresAt = r.time("created_at"), r.time("saved_at"), r.time("expires_at")
	i.Metadata = r.texts("metadata")
	i.chunks, i.digest = r.text("chunks"), r.text("digest")
	i.parts = int(r.number("parts"))
	i.life, i.rewrite, i.proof = r.text("life"), r.text("rewrite"), r.text("proof")
	i.Base = r.number("base")
	i.runs = r.runs("runs")
	i.first, i.swept = r.number("first"), r.number("swept")
	if ids := r.text("ids"); ids != "" {
		i.ids = strings.Split(ids, "\n")
	}
	if v, ok := a["large"].(*types.AttributeValueMemberBOOL); ok {
		i.large = v.Value
	}
	switch v := a["data"].(type) {
	case nil:
		if state, ok := a["state"]; ok {
			if s, ok := state.(*types.AttributeValueMemberS); ok {
				i.payload = []byte(s.Value)
			} else {
				r.fail("state")
			}
		}
	case *types.AttributeValueMemberB:
		i.payload = v.Value
	default:
		r.fail("data")
	}
	switch {
	case i.ID == "" || i.Encoding == "":
		r.fail("id")
	case i.Version < 1 || i.Version > driver.MaxVersion:
		r.fail("version")
	case i.Size < 0:
		r.fail("size")
	case i.Base < 0 || i.Base >= i.Version || i.Version-i.Base > driver.MaxChain && i.Base != 0:
		r.fail("base")
	case i.first < 0 || i.first >= i.Version && i.first != 0 || i.swept < 0 || i.swept > i.Version:
		r.fail("first")
	case i.parts < 0 || i.parts > maxParts || (i.chunks == "") != (i.parts == 0):
		r.fail("parts")
	}
	if r.bad != "" {
		return nil, fmt.Errorf("%w: the attribute %q of its item is not what this driver writes", driver.ErrCorrupt, r.bad)
	}
	return i, nil
}

// readLegacy reads an item of a program that stores {thread_id, state,
// updated_at, ttl}: it is version 1. Its id is made of its time and its state,
// since that program may write twice in the second that updated_at can tell.
func readLegacy(r *reader, i *item) (*item, error) {
	i.legacy, i.Version, i.Encoding = true, 1, "json"
	updated := r.text("updated_at")
	i.foreign = make(attributes, len(foreignNames))
	for _, name := range foreignNames {
		if v, ok := r.a[name]; ok {
			i.foreign[name] = v
		}
	}
	i.payload = []byte(r.text("state"))
	i.Size = len(i.payload)
	if at, err := time.Parse(time.RFC3339, updated); err == nil {
		i.SavedAt = at.UTC().Truncate(time.Microsecond)
	} else {
		i.SavedAt = time.Unix(0, 0).UTC()
	}
	i.CreatedAt = i.SavedAt
	if ttl := r.number("ttl"); ttl != 0 {
		i.ExpiresAt = time.Unix(ttl, 0).UTC()
	}
	if r.bad != "" {
		return nil, fmt.Errorf("%w: the attribute %q of its item, which another program wrote, is neither a string nor a number as expected", driver.ErrCorrupt, r.bad)
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q ", i.Thread, updated)
	sum.Write(i.payload)
	i.ID = base32.StdEncoding.EncodeToString(sum.Sum(nil))[:26]
	i.life = rand.Text() // for the older versions, if a save goes on from here
	return i, nil
}
