//go:build goexperiment.jsonv2 && go1.27

package checkpoint

import (
	"encoding/json"
	"encoding/json/jsontext"
	jsonv2 "encoding/json/v2"
	"fmt"
	"reflect"

	"github.com/go-ckpt/checkpoint/internal/jsonscan"
)

// likeV1 makes encoding/json/v2 do what encoding/json does, but for its errors. To
// report these encoding/json looks through a text before it decodes it, and there it
// encodes into a buffer that grows, so that v2 itself is faster.
var likeV1 = jsonv2.JoinOptions(
	json.DefaultOptionsV1(),
	json.ReportErrorsWithLegacySemantics(false),
	jsontext.EscapeForHTML(false),
)

// jsonCodec vouches for its text where v2 is there, which refuses what is not UTF-8.
var _ JSONCodec = jsonCodec{}

func (jsonCodec) MarshalWithin(v any, depth int) ([]byte, error) {
	data, err := jsonv2.Marshal(v, likeV1, jsontext.AllowInvalidUTF8(false))
	if err == nil && jsonscan.Deeper(data, depth) {
		err = fmt.Errorf("nested deeper than %d levels", depth)
	}
	return data, err
}

// unmarshal is json.Unmarshal. A variable that is not zero is json.Unmarshal's own, for
// a text that turns out to be damaged must not have changed it.
func unmarshal(data []byte, target any) error {
	if v := reflect.ValueOf(target); v.Kind() == reflect.Pointer && !v.IsNil() && v.Elem().IsZero() {
		if jsonv2.Unmarshal(data, target, likeV1) == nil {
			return nil
		}
		v.Elem().SetZero()
	}
	return json.Unmarshal(data, target)
}
