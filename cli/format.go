package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// infoJSON is the form of a checkpoint's Info under --json.
type infoJSON struct {
	Namespace string            `json:"namespace"`
	Thread    string            `json:"thread"`
	Version   int64             `json:"version"`
	ID        string            `json:"id"`
	Size      int               `json:"size"`
	Encoding  string            `json:"encoding"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	CreatedAt time.Time         `json:"created_at"`
	SavedAt   time.Time         `json:"saved_at"`
	ExpiresAt time.Time         `json:"expires_at,omitzero"`
}

func newInfoJSON(i checkpoint.Info) infoJSON {
	return infoJSON{i.Namespace, i.Thread, i.Version, i.ID, i.Size, i.Encoding, i.Metadata, i.CreatedAt, i.SavedAt, i.ExpiresAt}
}

// formatTime is a time in the zone of the reader.
func formatTime(t time.Time) string { return t.Local().Format(time.DateTime) }

// formatExpiry says how long a thread has to live.
func formatExpiry(t, now time.Time) string {
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

// formatSize is a number of bytes with three digits or so.
func formatSize(n int64) string {
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

// formatCount is a number with separators and its noun: "1 thread", "12,000
// threads".
func formatCount(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return formatNumber(n) + " " + noun
}

func formatNumber(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// formatMetadata is metadata on one line, sorted, safe to print.
func formatMetadata(m map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, terminal.Quote(k)+"="+terminal.Quote(m[k]))
	}
	return strings.Join(parts, " ")
}
