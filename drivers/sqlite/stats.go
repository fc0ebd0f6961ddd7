package sqlite

import (
	"database/sql"

	"github.com/go-ckpt/checkpoint/driver"
)

var _ driver.Pooler = (*backend)(nil)

// Pool implements driver.Pooler. It counts the connection that writes and those that
// read.
func (b *backend) Pool() (p driver.Pool) {
	d := b.database.Load()
	if d == nil {
		return p // nothing has been opened
	}
	pools := []*sql.DB{d.write, d.read}
	if d.write == d.read {
		pools = pools[:1]
	}
	for _, db := range pools {
		s := db.Stats()
		p.Open += s.OpenConnections
		p.InUse += s.InUse
		p.Max += s.MaxOpenConnections
	}
	return p
}
