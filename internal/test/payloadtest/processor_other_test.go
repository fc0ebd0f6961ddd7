//go:build !unix

package payloadtest

import "testing"

func processorTime(b *testing.B) int64 {
	b.Helper()
	b.Skip("SKIPPED: the processor's time is read on Unix only")
	return 0
}
