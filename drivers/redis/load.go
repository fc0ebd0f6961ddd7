package redis

import (
	"context"
	"fmt"
	"unsafe"

	"github.com/go-ckpt/checkpoint/driver"
)

// load reads one version. The latest is one plain command.
func (b *backend) load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	list := b.layout.list(req.Namespace, req.Thread)
	var reply []string
	var err error
	if req.Version == 0 {
		reply, err = b.texts(ctx, "lrange", list, 0, 1)
	} else {
		reply, err = b.readBy(ctx, versionScript, []string{list}, req.Version)
	}
	if err != nil {
		return driver.Checkpoint{}, b.report(ctx, err)
	}
	return checkpointOf(req, reply)
}

// checkpointOf reads the answer: the payload and the info of the latest
// version; or the info of the latest, then those of the version asked for.
func checkpointOf(req driver.LoadRequest, reply []string) (driver.Checkpoint, error) {
	if len(reply) == 0 {
		return driver.Checkpoint{}, driver.ErrNotFound
	}
	latest := reply[len(reply)-1]
	if req.Version != 0 {
		latest, reply = reply[0], reply[1:]
	}
	info, err := parseInfo(req.Key, latest)
	if err != nil {
		return driver.Checkpoint{}, err
	}
	if info.Expired(req.Now) || len(reply) == 0 {
		return driver.Checkpoint{}, driver.ErrNotFound
	}
	if req.Version != 0 {
		if info, err = parseInfo(req.Key, reply[len(reply)-1]); err != nil {
			return driver.Checkpoint{}, err
		}
	}
	if len(reply) != 2 || len(reply[0]) != info.Size || req.Version != 0 && req.Version != info.Version {
		return driver.Checkpoint{}, errSize(info)
	}
	return driver.Checkpoint{Info: info, Payload: bytesOf(reply[0])}, nil
}

func errSize(info driver.Info) error {
	return fmt.Errorf("%w: the payload of version %d is missing or has another size than its info says", driver.ErrCorrupt, info.Version)
}

// bytesOf returns the bytes of a string that go-redis has just read into
// memory of its own, and that nothing else refers to; redis.StringCmd.Bytes
// does the same.
func bytesOf(s string) []byte {
	if s == "" {
		return []byte{}
	}
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// find looks for a version by its id.
func (b *backend) find(ctx context.Context, req driver.FindRequest) (driver.Info, error) {
	lines, err := b.readBy(ctx, findScript, b.layout.thread(req.Key)[:2], escape(req.ID))
	if err != nil {
		return driver.Info{}, b.report(ctx, err)
	}
	if len(lines) == 0 {
		return driver.Info{}, driver.ErrNotFound
	}
	latest, err := parseInfo(req.Key, lines[0])
	if err != nil {
		return driver.Info{}, err
	}
	if latest.Expired(req.Now) || len(lines) == 1 {
		return driver.Info{}, driver.ErrNotFound
	}
	return parseInfo(req.Key, lines[1])
}
