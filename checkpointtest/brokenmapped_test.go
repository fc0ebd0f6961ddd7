//go:build unix

package checkpointtest_test

import (
	"context"
	"syscall"

	"github.com/go-ckpt/checkpoint/driver"
)

func init() { // not on every system
	brokenLong = append(brokenLong, brokenBackend{
		name: "large payloads are the mapped file", fails: "Raw/Payload/Owned", only: []string{"Raw/Payload/Owned"},
		fault: each(func(f *faulty) {
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				c, err := f.full.Load(ctx, req)
				if len(c.Payload) > 4096 {
					page, mapErr := syscall.Mmap(-1, 0, len(c.Payload), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
					if mapErr != nil {
						return c, mapErr
					}
					copy(page, c.Payload)
					if err := syscall.Mprotect(page, syscall.PROT_READ); err != nil {
						return c, err
					}
					c.Payload = page
				}
				return c, err
			}
		})})
}
