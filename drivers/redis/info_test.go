package redis

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// line puts an info together as save.lua does.
func line(t testing.TB, info driver.Info) string {
	t.Helper()
	rest, err := restOfInfo(info.SavedAt, info.Size, info.Encoding, info.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	if info.Base != 0 {
		return fmt.Sprintf("2 %d %d %s %s %d %d %s %s", info.Version, info.CreatedAt.UnixMicro(), orNever(info.ExpiresAt), escape(info.ID), 1, info.Base, escape("a digest"), rest)
	}
	return fmt.Sprintf("1 %d %d %s %s %s", info.Version, info.CreatedAt.UnixMicro(), orNever(info.ExpiresAt), escape(info.ID), rest)
}

func TestInfoRoundTrip(t *testing.T) {
	t.Parallel()
	key := driver.Key{Namespace: "n", Thread: "t"}
	at := time.UnixMicro(1_767_323_045_678_901).UTC()
	for name, info := range map[string]driver.Info{
		"plain":    {Key: key, ID: "ABC", Version: 1, Encoding: "json", Size: 2, CreatedAt: at, SavedAt: at},
		"expires":  {Key: key, ID: "ABC", Version: driver.MaxVersion, Encoding: "json+zstd+aead", CreatedAt: at, SavedAt: at.Add(time.Hour), ExpiresAt: time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)},
		"metadata": {Key: key, ID: "ABC", Version: 7, Encoding: "json", CreatedAt: at, SavedAt: at, Metadata: map[string]string{"a b": "\n\u2028<>&\"\\", "é": "", "x": "1 2 3"}},
		"hostile":  {Key: key, ID: "a b%\x01c ~", Version: 7, Encoding: " % \n\x00", CreatedAt: at, SavedAt: at},
		"patch":    {Key: key, ID: "ABC", Version: 7, Base: 3, Encoding: "json+patch", Size: 9, CreatedAt: at, SavedAt: at, ExpiresAt: at.Add(time.Hour), Metadata: map[string]string{"a b": "c d"}},
		"nothing":  {Key: key, ID: "%20", Version: 7, Encoding: "", CreatedAt: time.UnixMicro(-5).UTC(), SavedAt: time.UnixMicro(0).UTC()},
	} {
		got, err := parseInfo(key, line(t, info))
		if err != nil || !reflect.DeepEqual(got, info) {
			t.Errorf("%s: parseInfo(%q) = %+v, %v, want %+v", name, line(t, info), got, err, info)
		}
	}
}

// TestInfoDamaged cuts and changes an info at random: it is read as damaged or
// as some info, and nothing panics.
func TestInfoDamaged(t *testing.T) {
	t.Parallel()
	at := time.UnixMicro(1_767_323_045_678_901).UTC()
	good := line(t, driver.Info{ID: "A b", Version: 3, Encoding: "json", Size: 9, CreatedAt: at, SavedAt: at, Metadata: map[string]string{"k": "v"}})
	for _, bad := range []string{"", "1", "1 ", "3" + good[1:], "x", "1 3", good[:len(good)-2], "1 0" + good[3:], "1 -3" + good[3:], strings.Replace(good, "json", "", 1)} {
		if info, err := parseInfo(driver.Key{}, bad); !errors.Is(err, driver.ErrCorrupt) {
			t.Errorf("parseInfo(%q) = %+v, %v, want ErrCorrupt", bad, info, err)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 50_000 {
		b := []byte(good)
		for range 1 + r.IntN(3) {
			b[r.IntN(len(b))] = byte(r.IntN(256))
		}
		if _, err := parseInfo(driver.Key{}, string(b[:r.IntN(len(b)+1)])); err != nil && !errors.Is(err, driver.ErrCorrupt) {
			t.Fatalf("parseInfo(%q): error %v, want ErrCorrupt", b, err)
		}
	}
}

// FuzzInfo gives parseInfo, and those who read answers with an info in them, any
// text. What is read can be written again and is the same then.
func FuzzInfo(f *testing.F) {
	at := time.UnixMicro(1_767_323_045_678_901).UTC()
	f.Add(line(f, driver.Info{ID: "A b", Version: 3, Encoding: "json", Size: 9, CreatedAt: at, SavedAt: at, Metadata: map[string]string{"k": "v"}}))
	f.Add(line(f, driver.Info{ID: "ABC", Version: 1, Encoding: "json+zstd", CreatedAt: at, SavedAt: at, ExpiresAt: at}))
	f.Add("1 9223372036854775807 -9223372036854775808 - %41 0 0 % {}")
	f.Add(line(f, driver.Info{ID: "A", Version: 3, Base: 1, Encoding: "json+patch", Size: 9, CreatedAt: at, SavedAt: at}))
	f.Add("1 1 1 1 %zz 1 1 %4 null")
	f.Fuzz(func(t *testing.T, text string) {
		key := driver.Key{Namespace: "n", Thread: "t"}
		for _, prefix := range []string{"+", "=", "!", "m", "?", ""} {
			verdictOf(key, prefix+text)
		}
		for _, reply := range [][]string{{text}, {text, "payload"}, {text, "payload", text}, {text, "payload", text, "link", text}, {text, "payload", text, "link"}} {
			if cp, err := checkpointOf(driver.LoadRequest{Key: key, Now: at}, reply); err != nil && !errors.Is(err, driver.ErrCorrupt) && !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("checkpointOf(%q) = %+v, %v, want ErrCorrupt", reply, cp, err)
			}
		}
		info, err := parseInfo(key, text)
		if err != nil {
			if !errors.Is(err, driver.ErrCorrupt) {
				t.Errorf("parseInfo(%q): %v, want ErrCorrupt", text, err)
			}
			return
		}
		if info.Version < 1 || info.Size < 0 {
			t.Errorf("parseInfo(%q) = %+v, want a version and a size", text, info)
		}
		if again, err := parseInfo(key, line(t, info)); err != nil || fmt.Sprint(again) != fmt.Sprint(info) {
			t.Errorf("parseInfo(%q) = %+v, written and read again %+v, %v", text, info, again, err)
		}
	})
}

// TestShards holds the places of some threads: a change would lose them.
func TestShards(t *testing.T) {
	t.Parallel()
	for thread, want := range map[string]int{"user-123": 19, "a": 12, "": 37, "é 😀": 26} {
		if got := (layout{shards: 64}).shardOf(thread); got != want {
			t.Errorf("shard of %q among 64 is %d, want %d", thread, got, want)
		}
	}
	l := layout{prefix: "app:", shards: 64}
	got := strings.Join(l.thread(driver.Key{Namespace: "agents", Thread: "user-123{x}"}), "\n")
	want := strings.ReplaceAll("app:{agents:K}:t:user-123{x}\napp:{agents:K}:p:user-123{x}\napp:{agents:K}:index\napp:{agents:K}:expiry\napp:{agents:K}:g:user-123{x}", "K", "39")
	if got != want {
		t.Errorf("keys are\n%s\nwant\n%s", got, want)
	}
}
