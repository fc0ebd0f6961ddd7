package dynamodb

import (
	"fmt"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
)

// The keys of items, which are strings in the one attribute thread_id:
//
//	THREAD                     the head of a thread in the namespace agents
//	ckpt#h#NAMESPACE#THREAD    the head of any other thread, and of one in agents
//	                           whose name begins with ckpt#
//	ckpt#v#LIFE#VERSION        an older version
//	ckpt#i#LIFE#ID             finds the version of an id in a long history
//	ckpt#c#CHUNKS#NUMBER       a part of a large payload
//	ckpt#j#ID                  a journal: what to look after if the writer dies
//
// A namespace has no '#' in it, LIFE, CHUNKS and ID are unique to one write, and
// a name that begins as ours do is escaped; so no name of a thread can be taken
// for another item.
const (
	keyAttribute = "thread_id"
	reserved     = "ckpt#"

	// The namespace whose threads have their names as keys, as in tables that
	// other programs have made.
	plainNamespace = "agents"
)

func headKey(k driver.Key) string {
	if k.Namespace == plainNamespace && !strings.HasPrefix(k.Thread, reserved) {
		return k.Thread
	}
	return reserved + "h#" + k.Namespace + "#" + k.Thread
}

func versionKey(life string, version int64) string {
	return fmt.Sprintf("%sv#%s#%016d", reserved, life, version)
}

func markerKey(life, id string) string { return reserved + "i#" + life + "#" + id }

func chunkKey(chunks string, number int) string {
	return fmt.Sprintf("%sc#%s#%06d", reserved, chunks, number)
}

func journalKey(id string) string { return reserved + "j#" + id }

// A listing is the hash key of the sparse index by which heads and journals are
// found; its range key is the thread's name. Both never change while the item
// is there, so a save writes nothing to the index.
const (
	listAttribute = "list_namespace"
	nameAttribute = "list_name"
)

func journalList(namespace string) string { return reserved + "j#" + namespace }
