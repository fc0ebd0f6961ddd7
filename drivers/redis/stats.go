package redis

import "github.com/go-ckpt/checkpoint/driver"

var _ driver.Pooler = (*backend)(nil)

// Pool implements driver.Pooler. Of a cluster it is the pools of all nodes together.
func (b *backend) Pool() driver.Pool {
	if b.bad != nil {
		return driver.Pool{}
	}
	s := b.client.PoolStats()
	return driver.Pool{Open: int(s.TotalConns), InUse: int(s.TotalConns - min(s.IdleConns, s.TotalConns))}
}
