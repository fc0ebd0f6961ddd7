package redis

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// TestBeyondBulkLimit saves values that the server does not take: they are too large,
// however much of them was sent before it said so, and what was there stays.
func TestBeyondBulkLimit(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	config := []string{fmt.Sprint("proto-max-bulk-len ", limit)}
	server := testserver.StartRedis(t, testserver.RedisOptions{Config: config})
	secure := testserver.StartRedis(t, testserver.RedisOptions{Config: config, TLS: true})
	for name, b := range map[string]driver.Backend{
		"DSN": openDSN(t, server.URL), "TLS": openDSN(t, "rediss://"+secure.Addr+"?skip_verify=true"), "Client": withClient(t, server.URL),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := driver.Key{Namespace: namespace(), Thread: "thread"}
			first := requestKeeping(key, 3)
			first.Payload, first.Digest = make([]byte, limit), "digest"
			mustSave(t, b, first)
			for _, size := range []int{limit + 1, 5 << 20} {
				save := request(key, make([]byte, size))
				patch := driver.PatchRequest{SaveRequest: save, Base: 1, Previous: driver.Previous{ID: first.ID, Digest: first.Digest}}
				patch.Digest = "another"
				conditional := save
				conditional.Match.ID = first.ID
				_, saveErr := b.Save(t.Context(), save)
				_, conditionalErr := b.Save(t.Context(), conditional)
				_, patchErr := b.(driver.Patcher).SavePatch(t.Context(), patch)
				rewriteErr := b.(driver.Rewriter).Rewrite(t.Context(), driver.RewriteRequest{Key: key, Version: 1, ID: first.ID, Now: time.Now(), Payload: save.Payload})
				for call, err := range map[string]error{"Save": saveErr, "Save on condition": conditionalErr, "SavePatch": patchErr, "Rewrite": rewriteErr} {
					if !errors.Is(err, driver.ErrTooLarge) || !strings.Contains(err.Error(), "proto-max-bulk-len") {
						t.Errorf("%s of %d bytes: %v, want ErrTooLarge that names the server's limit", call, size, err)
					}
				}
			}
			if cp := mustLoad(t, b, key); cp.Version != 1 || len(cp.Payload) != limit {
				t.Errorf("after them the thread is at version %d with %d bytes, want 1 and %d", cp.Version, len(cp.Payload), limit)
			}
		})
	}
}
