package postgres

import "github.com/go-ckpt/checkpoint/driver"

var _ driver.Pooler = (*backend)(nil)

// Pool implements driver.Pooler.
func (b *backend) Pool() driver.Pool {
	if b.db == nil {
		return driver.Pool{}
	}
	s := b.db.Stats()
	return driver.Pool{Open: s.OpenConnections, InUse: s.InUse, Max: s.MaxOpenConnections}
}
