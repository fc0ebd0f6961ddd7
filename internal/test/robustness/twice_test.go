package robustness

import (
	"testing"

	"github.com/go-ckpt/checkpoint"
)

// TestCopiedTwice: copies of one store in two namespaces have the same ids and
// versions, and nothing else in common: what happens to one does not touch the
// other. DynamoDB's once shared their older versions.
func TestCopiedTwice(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *deployment) {
		ctx := t.Context()
		b := d.handle(t)
		src := copySource(ctx)
		copies := []*checkpoint.Store{
			checkpoint.New(b, checkpoint.WithNamespace("copy-1"), checkpoint.WithHistory(keep)),
			checkpoint.New(b, checkpoint.WithNamespace("copy-2"), checkpoint.WithHistory(keep)),
		}
		for _, dst := range copies {
			if _, err := checkpoint.Copy(ctx, dst, src, checkpoint.CopyOptions{History: true}); err != nil {
				t.Fatal(err)
			}
		}
		for info, err := range copies[0].List(ctx, checkpoint.ListOptions{}) {
			if err == nil {
				err = copies[0].Delete(ctx, info.Thread)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		n := 0
		for info, err := range src.List(ctx, checkpoint.ListOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			for i := range int64(keep) {
				var got, want state
				_, err := copies[1].LoadVersion(ctx, info.Thread, info.Version-i, &got)
				if _, wantErr := src.LoadVersion(ctx, info.Thread, info.Version-i, &want); wantErr != nil {
					t.Fatal(wantErr)
				}
				if err != nil || got != want {
					t.Errorf("version %d of %s in the other copy = state %d, %v, want state %d", info.Version-i, info.Thread, got.N, err, want.N)
				}
			}
			n++
			if err := copies[1].Delete(ctx, info.Thread); err != nil {
				t.Error(err)
			}
		}
		if n == 0 {
			t.Error("nothing was copied")
		}
	})
}
