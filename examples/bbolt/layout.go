package bbolt

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	bolt "go.etcd.io/bbolt"

	"github.com/go-ckpt/checkpoint/driver"
)

// The bucket of versions holds each version under the key
//
//	namespace NUL thread NUL (2^63-1 - version, in 8 bytes, the highest first)
//
// so that a thread's latest version comes first and threads are in the order of their
// names; neither name can run into the other, for both are without NUL. The value is
// the length of a header, in 4 bytes, the header in JSON, and the payload as it was
// given: bbolt keeps long values apart, so that lists do not read them.
//
// The bucket of ids holds the version, in 8 bytes, under namespace NUL thread NUL id.
var (
	versionsBucket = []byte("versions")
	idsBucket      = []byte("ids")
)

// A version is one key and its value. Its payload may be memory of the database's
// own, which is there until the transaction ends.
type version struct {
	header
	payload []byte
}

// A header is what is stored of a version beside its payload.
type header struct {
	driver.Info
	Digest string
	Life   uint64 // unique to each life of a thread
	Lowest int64  // of the latest version: the lowest that is visible
}

// needs is the lowest version that is needed to read this one.
func (v version) needs() int64 {
	if v.Base != 0 {
		return v.Base
	}
	return v.Version
}

// checkpoint shares no memory with the database.
func (v version) checkpoint() driver.Checkpoint {
	return driver.Checkpoint{Info: v.Info, Payload: bytes.Clone(v.payload), Digest: v.Digest}
}

// prefixOf begins the keys of a thread in both buckets.
func prefixOf(k driver.Key) []byte { return []byte(k.Namespace + "\x00" + k.Thread + "\x00") }

func keyOf(k driver.Key, number int64) []byte {
	return binary.BigEndian.AppendUint64(prefixOf(k), uint64(math.MaxInt64-number))
}

// parse reads a key and its value. Of a value that cannot be read it returns the names
// and the number, which are in the key, with the error.
func parse(key, value []byte) (version, error) {
	names, number := key[:max(0, len(key)-9)], key[max(0, len(key)-8):]
	namespace, thread, ok := bytes.Cut(names, []byte{0})
	if !ok || len(number) != 8 {
		return version{}, fmt.Errorf("%w: a key that was not written here", driver.ErrCorrupt)
	}
	var v version
	k := driver.Key{Namespace: string(namespace), Thread: string(thread)}
	n := math.MaxInt64 - int64(binary.BigEndian.Uint64(number))
	if len(value) >= 4 && int(binary.BigEndian.Uint32(value)) <= len(value)-4 {
		text := value[4:][:binary.BigEndian.Uint32(value)]
		err := json.Unmarshal(text, &v.header)
		v.payload = value[4+len(text):]
		if err == nil && v.Key == k && v.Version == n && v.Size == len(v.payload) {
			return v, nil
		}
	}
	return version{header: header{Info: driver.Info{Key: k, Version: n}}}, fmt.Errorf("%w: version %d is damaged", driver.ErrCorrupt, n)
}

// A tx is a transaction. Its methods are the operations.
type tx struct{ versions, ids *bolt.Bucket }

// within is what bbolt runs.
func within(f func(tx) error) func(*bolt.Tx) error {
	return func(b *bolt.Tx) error { return f(tx{b.Bucket(versionsBucket), b.Bucket(idsBucket)}) }
}

func createBuckets(b *bolt.Tx) error {
	_, err1 := b.CreateBucketIfNotExists(versionsBucket)
	_, err2 := b.CreateBucketIfNotExists(idsBucket)
	return cmp.Or(err1, err2)
}
