package redis

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// An info is stored as one line of text:
//
//	1 VERSION CREATED EXPIRES ID SAVED SIZE ENCODING METADATA
//
// or, of a thread that was saved incrementally,
//
//	2 VERSION CREATED EXPIRES ID LOWEST BASE DIGEST SAVED SIZE ENCODING METADATA
//
// The first word is the format, times are microseconds since 1970, EXPIRES is "-" for
// never, METADATA is a JSON object or nothing. ID, DIGEST and ENCODING have
// their bytes up to the space, and '%', escaped as %XX. LOWEST is the lowest version
// that was visible when this one was saved, which counts in the latest info alone.
// save.lua writes the words before SAVED and takes the rest as it comes, so it reads
// no metadata.
//
// A driver that knows the first format alone refuses a thread whose latest info has
// the second one, for loads and for saves: it would drop versions that others need.

const never = "-"

func orNever(t time.Time) string {
	if t.IsZero() {
		return never
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}

// restOfInfo is the part of a new info that save.lua does not look at.
func restOfInfo(saved time.Time, size int, encoding string, metadata map[string]string) (string, error) {
	b := make([]byte, 0, 64)
	b = strconv.AppendInt(b, saved.UnixMicro(), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(size), 10)
	b = append(b, ' ')
	b = append(b, escape(encoding)...)
	b = append(b, ' ')
	if len(metadata) > 0 {
		m, err := json.Marshal(metadata)
		if err != nil {
			return "", fmt.Errorf("%w metadata: it cannot be encoded", driver.ErrInvalid)
		}
		b = append(b, m...)
	}
	return string(b), nil
}

// parseInfo reads what save.lua stored.
func parseInfo(key driver.Key, line string) (driver.Info, error) {
	info, _, err := parseLine(key, line)
	return info, err
}

// parseLine is parseInfo with the digest of the payload, "" where it has none.
func parseLine(key driver.Key, line string) (info driver.Info, digest string, err error) {
	info.Key = key
	rest := line
	ok := true
	word := func() string {
		w, after, found := strings.Cut(rest, " ")
		ok = ok && found && w != ""
		rest = after
		return w
	}
	number := func() int64 {
		n, err := strconv.ParseInt(word(), 10, 64)
		ok = ok && err == nil
		return n
	}
	format := word()
	if format != "1" && format != "2" {
		return driver.Info{}, "", fmt.Errorf("%w: its info has a format that this version of the driver does not know", driver.ErrCorrupt)
	}
	info.Version = number()
	info.CreatedAt = time.UnixMicro(number()).UTC()
	if strings.HasPrefix(rest, never+" ") {
		word()
	} else {
		info.ExpiresAt = time.UnixMicro(number()).UTC()
	}
	info.ID = unescape(word())
	if format == "2" {
		number()
		info.Base = number()
		digest = unescape(word())
	}
	info.SavedAt = time.UnixMicro(number()).UTC()
	info.Size = int(number())
	info.Encoding = unescape(word())
	if rest != "" {
		ok = ok && json.Unmarshal([]byte(rest), &info.Metadata) == nil
	}
	if !ok || info.Version < 1 || info.Size < 0 || info.Base < 0 || info.Base >= info.Version {
		return driver.Info{}, "", fmt.Errorf("%w: its info cannot be read", driver.ErrCorrupt)
	}
	return info, digest, nil
}

// escape makes s a word: without spaces and never empty.
func escape(s string) string {
	if s != "" && strings.IndexFunc(s, special) < 0 {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if special(rune(s[i])) {
			fmt.Fprintf(&b, "%%%02X", s[i])
		} else {
			b.WriteByte(s[i])
		}
	}
	if s == "" {
		return "%"
	}
	return b.String()
}

func special(r rune) bool { return r <= ' ' || r == '%' }

func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
		} else if i+2 < len(s) {
			c, _ := strconv.ParseUint(s[i+1:i+3], 16, 8)
			b.WriteByte(byte(c))
			i += 2
		}
	}
	return b.String()
}
