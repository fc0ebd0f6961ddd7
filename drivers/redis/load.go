package redis

import (
	"context"
	"fmt"
	"unsafe"

	"github.com/go-ckpt/checkpoint/driver"
)

// load reads one version. The latest is one plain command, unless it is likely to be
// a patch: then, and for an older version, a script brings what it needs with it,
// or says that the caller has it.
// Payloads cost time in a script, see throughLua, so that it is not used for all.
func (b *backend) load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	list := b.layout.list(req.Namespace, req.Thread)
	known := []any{"", ""}
	if req.Version == 0 && req.Known.Digest != "" {
		known = []any{escape(req.Known.ID), escape(req.Known.Digest)}
	} else if req.Version == 0 && !b.expectsChain() {
		reply, err := b.texts(ctx, "lrange", list, 0, 1)
		if err != nil {
			return driver.Checkpoint{}, b.report(ctx, err)
		}
		if len(reply) == 0 {
			return driver.Checkpoint{}, driver.ErrNotFound
		}
		cp, err := checkpointOf(req, append([]string{reply[len(reply)-1]}, reply...))
		if err != nil || cp.Base == 0 {
			return cp, err
		}
	}
	reply, err := b.readBy(ctx, versionScript, []string{list}, append([]any{req.Version, driver.MaxChain}, known...)...)
	if err != nil {
		return driver.Checkpoint{}, b.report(ctx, err)
	}
	cp, err := checkpointOf(req, reply)
	if cp.Base != 0 {
		b.expectChains()
	}
	return cp, err
}

// expected is how many loads of the latest version go by the script after one that
// needed it. A load that does so for nothing takes some microseconds more, and one
// that should have done so a second round trip.
const expected = 16

func (b *backend) expectChains() { b.chains.Store(expected) }

// expectsChain reports whether the latest version of a thread is likely to be a
// patch, as those were that were seen last.
func (b *backend) expectsChain() bool {
	n := b.chains.Load()
	return n > 0 && b.chains.Add(-1) >= 0
}

// checkpointOf reads the answer of version.lua: the info of the latest version, the
// payload and the info of the one asked for, and those of what it needs, newest
// first.
func checkpointOf(req driver.LoadRequest, reply []string) (driver.Checkpoint, error) {
	if len(reply) == 0 {
		return driver.Checkpoint{}, driver.ErrNotFound
	}
	info, digest, err := parseLine(req.Key, reply[0])
	if err != nil {
		return driver.Checkpoint{}, err
	}
	if info.Expired(req.Now) || len(reply) == 1 {
		return driver.Checkpoint{}, driver.ErrNotFound
	}
	if len(reply) == 2 && reply[1] == reply[0] && req.Known.Digest != "" && info.ID == req.Known.ID && digest == req.Known.Digest {
		return driver.Checkpoint{Info: info, Digest: digest, Known: true}, nil
	}
	if len(reply) < 3 {
		return driver.Checkpoint{}, errSize(info)
	}
	if req.Version != 0 {
		if info, digest, err = parseLine(req.Key, reply[2]); err != nil {
			return driver.Checkpoint{}, err
		}
	}
	if len(reply[1]) != info.Size || req.Version != 0 && req.Version != info.Version {
		return driver.Checkpoint{}, errSize(info)
	}
	cp := driver.Checkpoint{Info: info, Payload: bytesOf(reply[1]), Digest: digest}
	if info.Base != 0 {
		cp.Links = linksOf(info, reply[3:])
	}
	return cp, nil
}

// linksOf reads pairs of payload and info, newest first. What is damaged is left out.
func linksOf(of driver.Info, pairs []string) (links []driver.Link) {
	for i := len(pairs) - 2; i >= 0; i -= 2 {
		info, err := parseInfo(of.Key, pairs[i+1])
		if err != nil || info.Version < of.Base || info.Version >= of.Version || len(pairs[i]) != info.Size {
			continue
		}
		links = append(links, driver.Link{Version: info.Version, ID: info.ID, Encoding: info.Encoding, Base: info.Base, Payload: bytesOf(pairs[i])})
	}
	return links
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
