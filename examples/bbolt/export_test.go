package bbolt

import (
	"bytes"
	"context"

	bolt "go.etcd.io/bbolt"

	"github.com/go-ckpt/checkpoint/driver"
)

// Payloads counts the values of the file that contain mark, for the suite, and closes b.
func Payloads(ctx context.Context, b driver.Backend, mark string) (n int, err error) {
	defer b.Close()
	err = b.(*backend).view(ctx, func(t tx) error {
		for _, bucket := range []*bolt.Bucket{t.versions, t.ids} {
			bucket.ForEach(func(_, value []byte) error {
				if bytes.Contains(value, []byte(mark)) {
					n++
				}
				return nil
			})
		}
		return nil
	})
	return n, err
}
