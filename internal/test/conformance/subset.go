// Package conformance says which cases of the suite are run again on a second way into
// the same database: those that the way can break. The others are about what the
// driver stores, by the same statements, and are run on the first way alone.
package conformance

import (
	"slices"
	"strings"

	"github.com/go-ckpt/checkpoint/checkpointtest"
)

// Clients accepts the cases about connections, contexts, errors and concurrent use,
// and those that make every operation once. They are for another client or pool.
func Clients() checkpointtest.Option { return accepting(clients) }

var clients = []string{
	"Ping/", "Raw/Save/", "Raw/Conditions/", "Raw/Deletions/", "Raw/Repeat/", "Raw/Errors/", "Raw/Closed/", "Raw/Concurrency/",
	"Raw/History/BodyGrows", "Raw/History/LoopBody", "Raw/History/Pages", "Raw/History/WhileSaving",
	"Raw/List/BodyGrows", "Raw/List/LoopBody", "Raw/List/Paging", "Raw/List/WhileWriting",
	"Raw/Versions/BodyGrows", "Raw/Versions/LoopBody", "Raw/Versions/Ranges", "Raw/Versions/WhileSaving",
	"Raw/Payload/1MB", "Raw/Payload/Bytes", "Raw/Metadata/", "Raw/Names/Length", "Raw/Import/History", "Raw/Import/Highest",
	"Raw/Expiry/NewLife", "Raw/Purge/Expired", "Raw/Purge/WhileSaving", "Raw/Rewrite/", "Raw/Find/",
	"Raw/DeletePrefix/Inside", "Raw/DeletePrefix/Interrupted", "Raw/DeletePrefix/WhileSaving",
	"Raw/Namespaces/EachOnce", "Raw/Namespaces/LoopBody", "Raw/Patches/OneOfManyWins", "Raw/Patches/Links", "Raw/Patches/Trimming",
	"Store/SaveAndLoad", "Store/Update", "Store/Closed", "Store/EndedContext", "Store/Conditions", "Store/Copy", "Store/Patches/",
	"Unreachable/",
}

// Lists accepts the cases about what is found by the names of threads: lists and all
// that is made of them. They are for another index, or for threads in other places.
func Lists() checkpointtest.Option { return accepting(lists) }

var lists = []string{
	"Ping/", "Raw/Save/FirstSeenWhole", "Raw/Save/SeenWhole", "Raw/List/", "Raw/Names/Length", "Raw/Walls/", "Raw/Errors/EndedContext",
	"Raw/Errors/IteratorOnce", "Raw/Expiry/List", "Raw/Closed/", "Raw/Concurrency/", "Raw/Purge/", "Raw/DeletePrefix/",
	"Raw/Namespaces/", "Raw/Import/Expired", "Raw/Stored/Purged", "Raw/Stored/DeletedPrefix", "Store/List", "Store/Copy", "Unreachable/",
}

// accepting accepts the cases whose names begin as one of these does.
func accepting(beginnings []string) checkpointtest.Option {
	return checkpointtest.Cases(func(name string) bool {
		return slices.ContainsFunc(beginnings, func(b string) bool { return strings.HasPrefix(name, b) })
	})
}
