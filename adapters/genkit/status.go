package genkit

import (
	"context"
	"time"

	"github.com/firebase/genkit/go/ai/exp"
)

// How often the status of a snapshot is asked for: less and less while it stays.
const (
	shortestPoll = 50 * time.Millisecond
	longestPoll  = 2 * time.Second
)

// OnSnapshotStatusChange implements exp.SnapshotSubscriber. A slow reader misses
// intermediate values and never the newest. The channel is closed when ctx ends, and
// when the snapshot is not there or expires; while the database cannot be reached it
// stays open.
func (s *Sessions[State]) OnSnapshotStatusChange(ctx context.Context, id string) <-chan exp.SnapshotStatus {
	changes := make(chan exp.SnapshotStatus, 1)
	first, err := s.GetSnapshotMetadata(ctx, id)
	if err == nil && first == nil {
		close(changes)
		return changes
	}
	var last exp.SnapshotStatus
	if first != nil {
		last = first.Status
		changes <- last
	}
	go func() {
		defer close(changes)
		for pause := shortestPoll; ; pause = min(2*pause, longestPoll) {
			if sleep(ctx, pause) != nil {
				return
			}
			now, err := s.GetSnapshotMetadata(ctx, id)
			if err != nil {
				continue
			}
			if now == nil {
				return
			}
			if now.Status == last {
				continue
			}
			last, pause = now.Status, shortestPoll/2
			select { // the newest takes the place of one that was not read
			case <-changes:
			default:
			}
			changes <- last
		}
	}()
	return changes
}
