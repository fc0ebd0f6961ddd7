package ui

import (
	"fmt"
	"strconv"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
)

// The measures of the picture, in its own units.
const (
	pictureWidth  = 1000
	pictureHeight = 190
	pictureFloor  = 150 // where the bars stand
	tallestBar    = 90
	pictureMargin = 30
)

// A timeline is the picture of a thread's versions: a bar for each, as tall as what
// is stored is large, further from the one before the more time lay between them; and
// an arc to a version from the one that was restored.
type timeline struct {
	Width, Height, Floor int
	Title                string
	Bars                 []bar
	Arcs                 []string // as the d of a path
	First, Last, Largest string   // labels
}

// A bar is one version.
type bar struct {
	X, Y, Width, Height int
	Centre, MarkY       int
	URL, Title          string
	Restored, Forked    bool
	Patch               bool
}

// newTimeline draws versions that are given newest first.
func (req *request) newTimeline(infos []checkpoint.Info) *timeline {
	n := len(infos)
	first, last := infos[n-1], infos[0]
	t := &timeline{
		Width: pictureWidth, Height: pictureHeight, Floor: pictureFloor,
		First: fmt.Sprintf("%d · %s", first.Version, human.Time(first.SavedAt)),
		Last:  fmt.Sprintf("%d · %s", last.Version, human.Time(last.SavedAt)),
	}
	if n == 1 {
		t.Last = ""
	}
	largest := 1
	for _, info := range infos {
		largest = max(largest, info.Size)
	}
	t.Largest = human.Size(int64(largest))
	t.Title = fmt.Sprintf("Time line of versions %d to %d, the largest of %s", first.Version, last.Version, t.Largest)
	width := min(24, max(3, (pictureWidth-2*pictureMargin)/(2*n)))
	centres := map[int64]int{} // by version
	for i := n - 1; i >= 0; i-- {
		info := infos[i]
		centre := centreOf(n-1-i, n, info.SavedAt, first.SavedAt, last.SavedAt)
		centres[info.Version] = centre
		height := max(3, int(int64(tallestBar)*int64(info.Size)/int64(largest)))
		b := bar{
			X: centre - width/2, Y: pictureFloor - height, Width: width, Height: height,
			Centre: centre, MarkY: pictureFloor - height - 10,
			URL:   req.stateURL(info.Thread, info.Version),
			Title: fmt.Sprintf("version %d, %s, %s", info.Version, human.Time(info.SavedAt), human.Size(int64(info.Size))),
			Patch: info.Base != 0,
		}
		if from, ok := info.Metadata[checkpoint.MetadataRestoredFrom]; ok {
			b.Restored = true
			b.Title += ", restored from version " + cut(from, 20)
			if version, err := strconv.ParseInt(from, 10, 64); err == nil && centres[version] > 0 {
				t.Arcs = append(t.Arcs, arc(centres[version], centre))
			}
		}
		if from, ok := info.Metadata[checkpoint.MetadataForkedFrom]; ok {
			b.Forked = true
			b.Title += ", forked from id " + cut(from, 128)
		}
		t.Bars = append(t.Bars, b)
	}
	return t
}

// centreOf places the bar i of n: half of the way by its rank, so that bars never
// cover each other, and half by its time.
func centreOf(i, n int, at, first, last time.Time) int {
	if n == 1 {
		return pictureWidth / 2
	}
	part := float64(i) / float64(n-1)
	if whole := last.Sub(first); whole > 0 {
		part = (part + max(0, min(1, float64(at.Sub(first))/float64(whole)))) / 2
	}
	return pictureMargin + int(part*(pictureWidth-2*pictureMargin))
}

// arc is a bow below the bars.
func arc(from, to int) string {
	return fmt.Sprintf("M%d %dQ%d %d %d %d", from, pictureFloor+2, (from+to)/2, pictureFloor+34, to, pictureFloor+2)
}
