//go:build !goexperiment.jsonv2 || !go1.27

package checkpoint

import "encoding/json"

// unmarshal is json.Unmarshal; see codecv2.go.
func unmarshal(data []byte, target any) error { return json.Unmarshal(data, target) }
