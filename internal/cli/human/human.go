// Package human writes times, sizes and counts for people.
package human

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// Time is a time in the zone of the reader.
func Time(t time.Time) string { return t.Local().Format(time.DateTime) }

// Expiry says how long a thread has to live.
func Expiry(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	left := t.Sub(now)
	switch {
	case left <= 0:
		return "expired"
	case left < 2*time.Minute:
		return fmt.Sprintf("in %ds", int(left/time.Second))
	case left < 2*time.Hour:
		return fmt.Sprintf("in %dm", int(left/time.Minute))
	case left < 48*time.Hour:
		return fmt.Sprintf("in %dh", int(left/time.Hour))
	}
	return fmt.Sprintf("in %dd", int(left/(24*time.Hour)))
}

// Size is a number of bytes with three digits or so.
func Size(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	f, units := float64(n)/(1<<10), "KMGTPE"
	for f >= 999.5 && len(units) > 1 {
		f /= 1 << 10
		units = units[1:]
	}
	if f < 9.95 {
		return fmt.Sprintf("%.1f %ciB", f, units[0])
	}
	return fmt.Sprintf("%.0f %ciB", f, units[0])
}

// Count is a number with separators and its noun: "1 thread", "12,000
// threads".
func Count(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Number(n) + " " + noun
}

func Number(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Metadata is metadata on one line, sorted, safe to print.
func Metadata(m map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, terminal.Quote(k)+"="+terminal.Quote(m[k]))
	}
	return strings.Join(parts, " ")
}
