package anystate

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/go-ckpt/checkpoint"
)

// Save saves a state as it was loaded, as the next version of its thread: whatever its
// codec, what is stored is what that codec made.
func Save(ctx context.Context, store *checkpoint.Store, st State, opts ...checkpoint.SaveOption) (checkpoint.Info, error) {
	codec, _, _ := strings.Cut(st.Info.Encoding, "+")
	switch {
	case st.IsJSON:
		return store.Save(ctx, st.Info.Thread, json.RawMessage(st.Data), opts...)
	case codec == "bytes":
		return store.Save(ctx, st.Info.Thread, checkpoint.Bytes(st.Data), opts...)
	}
	view := store.Namespace(store.InNamespace(), checkpoint.WithCodec(verbatim(codec)))
	return view.Save(ctx, st.Info.Thread, verbatimState(st.Data), opts...)
}
