package checkpointtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
)

var brokenPayloads = []brokenBackend{
	{name: "white space around bytes is trimmed", fails: "Raw/Payload/Bytes",
		fault: saving(func(req *driver.SaveRequest) {
			if req.Encoding != "json" && utf8.Valid(req.Payload) && len(req.Payload) < 100 {
				req.Payload = []byte(strings.TrimSpace(string(req.Payload)))
			}
		})},
	{name: "encodings are in lower case", fails: "Raw/Payload/Encodings",
		fault: saving(func(req *driver.SaveRequest) { req.Encoding = strings.ToLower(req.Encoding) })},
	{name: "an empty payload is absence", fails: "Raw/Payload/Empty",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				info, err := f.full.Save(ctx, req)
				if err == nil && len(req.Payload) == 0 {
					f.full.Delete(ctx, driver.DeleteRequest{Key: req.Key})
				}
				return info, err
			}
		})},
	{name: "the limit is 16 MiB to the byte", fails: "Raw/Payload/16MB",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				if len(req.Payload) > 16<<20 {
					return driver.Info{}, driver.ErrTooLarge
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "16 MiB take longer than it waits", fails: "Raw/Payload/16MB", fault: busy(func(int) bool { return true })},
	{name: "chunks of a larger payload are left over", fails: "Raw/Payload/ChangingSize",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				if f.latest(ctx, req.Key, req.Now).Size > 500_000 && len(req.Payload) < 100 {
					req.Payload = append(slices.Clone(req.Payload), "and more"...)
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "JSON numbers are float64", fails: "Raw/JSON/Numbers",
		fault: saving(func(req *driver.SaveRequest) {
			if req.Encoding == "json" && len(req.Payload) < 100_000 {
				req.Payload = regexp.MustCompile(`\d{17,}`).ReplaceAllFunc(req.Payload, func(digits []byte) []byte {
					var n float64
					json.Unmarshal(digits, &n)
					return fmt.Appendf(nil, "%.0f", n)
				})
				req.Payload = []byte(strings.ReplaceAll(string(req.Payload), "9007199254740993", "9007199254740992"))
			}
		})},
	{name: "lone surrogates are replaced", fails: "Raw/JSON/Strings",
		fault: saving(func(req *driver.SaveRequest) {
			if req.Encoding == "json" && len(req.Payload) < 1_000_000 {
				req.Payload = []byte(strings.ReplaceAll(string(req.Payload), `"\ud800"`, `"\ufffd"`))
			}
		})},
	{name: "empty arrays become objects", fails: "Raw/JSON/Shapes",
		fault: saving(func(req *driver.SaveRequest) {
			if req.Encoding == "json" && len(req.Payload) < 1000 && string(req.Payload) != "[[]]" {
				req.Payload = []byte(strings.ReplaceAll(string(req.Payload), `[]`, `{}`))
			}
		})},
	{name: "JSON nests to 500 levels", fails: "Raw/JSON/Nesting",
		fault: refusing(func(req driver.SaveRequest) bool {
			return req.Encoding == "json" && (strings.Count(string(req.Payload), "[") > 490 || strings.Count(string(req.Payload), "{") > 490) && len(req.Payload) < 10_000
		})},
	{name: "duplicate keys are refused", fails: "Raw/JSON/DuplicateKeys",
		fault: refusing(func(req driver.SaveRequest) bool {
			return req.Encoding == "json" && strings.Count(string(req.Payload), `"a":`) == 2 && strings.Contains(string(req.Payload), "true")
		})},
	{name: "metadata is dropped", fails: "Raw/Metadata/Values",
		fault: saving(func(req *driver.SaveRequest) { req.Metadata = nil })},
	{name: "sizes of what is stored", fails: "Raw/Payload/Size",
		fault: loading(func(c *driver.Checkpoint) {
			var compact bytes.Buffer
			if c.Encoding == "json" && json.Compact(&compact, c.Payload) == nil {
				c.Size = compact.Len()
			}
		})},
	{name: "no metadata is an empty map", fails: "Raw/Metadata/None",
		fault: loading(func(c *driver.Checkpoint) {
			if c.Metadata == nil {
				c.Metadata = map[string]string{}
			}
		})},
	{name: "nothing between 400 and 411 KB fits", fails: "Raw/Payload/Around400KB",
		fault: refusing(func(req driver.SaveRequest) bool { return len(req.Payload) > 400_000 && len(req.Payload) < 411_000 })},
	{name: "a million bytes do not fit", fails: "Raw/Payload/1MB",
		fault: refusing(func(req driver.SaveRequest) bool { return len(req.Payload) == 1_000_000 })},
}

// busy is a database that, for some of the saves of 16 MiB, does the work and answers
// too late. The saves count from 1.
func busy(late func(save int) bool) fault {
	return each(func(f *faulty) {
		saves := 0
		f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
			info, err := f.full.Save(ctx, req)
			if len(req.Payload) < 16<<20 {
				return info, err
			}
			if saves++; late(saves) {
				return driver.Info{Key: req.Key, ID: req.ID}, driver.ErrUnavailable
			}
			return info, err
		}
	})
}

// TestBusyMachine: a database that is too busy for a large save now and then keeps the rules.
func TestBusyMachine(t *testing.T) {
	t.Parallel()
	report := checkpointtest.Verify(t.Context(), busy(func(save int) bool { return save%3 != 0 }).opener(),
		checkpointtest.Cases(func(name string) bool { return name == "Raw/Payload/16MB" }))
	if !report.OK() {
		t.Error(report.String())
	}
}
