package sqlstore

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/go-ckpt/checkpoint/driver"
)

// EncodeMetadata returns m as an argument of a statement: NULL when there is
// none, otherwise the text of a JSON object whose keys are sorted, so that
// equal metadata is equal text.
func EncodeMetadata(m map[string]string) any {
	if len(m) == 0 {
		return nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // people read it
	_ = enc.Encode(m)        // strings into memory: there is nothing to fail
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// DecodeMetadata is the inverse of EncodeMetadata; no text at all is no
// metadata. Anything but an object of strings is driver.ErrCorrupt.
func DecodeMetadata(text []byte) (map[string]string, error) {
	if len(text) == 0 {
		return nil, nil
	}
	var values map[string]*string
	if err := json.Unmarshal(text, &values); err != nil || values == nil {
		return nil, fmt.Errorf("%w: its metadata is not a JSON object of strings", driver.ErrCorrupt)
	}
	if len(values) == 0 {
		return nil, nil
	}
	m := make(map[string]string, len(values))
	for k, v := range values {
		if v == nil {
			return nil, fmt.Errorf("%w: its metadata is not a JSON object of strings", driver.ErrCorrupt)
		}
		m[k] = *v
	}
	return m, nil
}
