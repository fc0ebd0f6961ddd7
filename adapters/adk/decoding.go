package adk

import (
	"slices"
	"sync"

	"github.com/go-ckpt/checkpoint"
)

// decoding decodes versions, in batches beside the one that fetches them: of reading a
// long session decoding is the larger part.
type decoding struct {
	sync.WaitGroup
	count   int
	pending []*checkpoint.Version
	batches []*batch
}

type batch struct {
	records []record
	err     error
}

const batchSize = 50 // versions

// add takes the next version.
func (d *decoding) add(v *checkpoint.Version) {
	d.count++
	d.pending = append(d.pending, v)
	if len(d.pending) == batchSize {
		d.start()
	}
}

func (d *decoding) start() {
	versions, b := d.pending, &batch{records: make([]record, len(d.pending))}
	d.pending, d.batches = nil, append(d.batches, b)
	d.Go(func() {
		for i, v := range versions {
			if b.err = v.Decode(&b.records[i]); b.err != nil {
				return
			}
		}
	})
}

// records returns the records in the order in which their versions were added.
func (d *decoding) records() ([]record, error) {
	d.start()
	d.Wait()
	all := make([][]record, len(d.batches))
	for i, b := range d.batches {
		if b.err != nil {
			return nil, b.err
		}
		all[i] = b.records
	}
	return slices.Concat(all...), nil
}
