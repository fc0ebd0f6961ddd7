package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"github.com/go-ckpt/checkpoint/driver"
)

// throughScript is how many bytes a whole state has at most that version.lua brings. A
// megabyte through Lua takes some 5 ms, in which the server does nothing else, so that a
// plain command in a second round trip is faster for what is larger.
const throughScript = 128 << 10

// load reads one version. The latest is one plain command, unless it is likely to be a
// patch of a small state: then, and for an older version, a script brings what it needs
// with it, or says that the caller has it. What patches of a large state need comes by
// a second plain command.
func (b *backend) load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	reply, err := b.read(ctx, req)
	if err != nil {
		return driver.Checkpoint{}, b.report(ctx, err)
	}
	cp, err := checkpointOf(req, reply)
	b.learnSize(reply)
	switch {
	case cp.Base == 0:
	case len(cp.Links) > 0 && len(cp.Links[0].Payload) > throughScript:
		b.chains.Store(0) // the script would not bring the next one either
	default:
		b.expectChains()
	}
	return cp, err
}

// read returns what checkpointOf reads.
func (b *backend) read(ctx context.Context, req driver.LoadRequest) ([]string, error) {
	if req.Version == 0 && req.Known.Digest == "" && !b.expectsChain() {
		pair, err := b.readRange(ctx, req.Key, 0, 1)
		if err != nil || len(pair) == 0 {
			return nil, err
		}
		line := pair[len(pair)-1]
		reply := append([]string{line}, pair...)
		if !strings.HasPrefix(line, "2 ") { // the only format of a patch
			return reply, nil
		}
		latest, err := parseInfo(req.Key, line)
		if err != nil || latest.Base == 0 || latest.Expired(req.Now) {
			return reply, nil
		}
		if reply, err = b.readChain(ctx, req, line, needed(latest)); err != nil || reply != nil {
			return reply, err
		}
	}
	return b.readVersion(ctx, req)
}

// needed returns how many versions a load of one brings: itself, and of a patch those
// down to its base.
func needed(info driver.Info) int64 {
	if info.Base == 0 {
		return 1
	}
	return min(info.Version-info.Base, driver.MaxChain) + 1
}

// readVersion runs version.lua, and the plain command that it asks for.
func (b *backend) readVersion(ctx context.Context, req driver.LoadRequest) ([]string, error) {
	id, digest := "", ""
	if req.Version == 0 && req.Known.Digest != "" {
		id, digest = escape(req.Known.ID), escape(req.Known.Digest)
	}
	run := func(largest int) ([]string, error) {
		list := b.layout.list(req.Namespace, req.Thread)
		return b.readBy(ctx, b.expectsSmall(), versionScript, []string{list}, req.Version, driver.MaxChain, id, digest, largest)
	}
	reply, err := run(throughScript)
	if err != nil || len(reply) != 2 {
		return reply, err
	}
	versions, err := strconv.ParseInt(reply[1], 10, 64)
	if err != nil {
		return reply, nil // the info of what the caller has
	}
	if reply, err = b.readChain(ctx, req, reply[0], versions); err != nil || reply != nil {
		return reply, err
	}
	return run(maxPayload)
}

// readChain reads a version and what it needs, so many versions in all, by one plain
// command, where line is the info of the latest version as it was just seen. It returns
// what version.lua would, and nil if the thread has changed since, so that they do not
// lie where they did. What it returns was there at one moment, down to the base that
// the version's own info names.
func (b *backend) readChain(ctx context.Context, req driver.LoadRequest, line string, versions int64) ([]string, error) {
	latest, err := parseInfo(req.Key, line)
	if err != nil {
		return nil, err
	}
	below := int64(0)
	if req.Version != 0 {
		below = latest.Version - req.Version
	}
	pairs, err := b.readRange(ctx, req.Key, below, versions)
	if err != nil || len(pairs) < 2 {
		return nil, err
	}
	info, err := parseInfo(req.Key, pairs[1])
	if err != nil || int64(len(pairs)) < 2*needed(info) {
		return nil, nil
	}
	switch {
	case req.Version == 0:
		line = pairs[1]
	case info.Version != req.Version || !info.CreatedAt.Equal(latest.CreatedAt):
		return nil, nil
	}
	return append([]string{line}, pairs[:2*needed(info)]...), nil
}

// readRange reads payload and info of so many versions, newest first, down from the one
// that is so many below the latest.
func (b *backend) readRange(ctx context.Context, key driver.Key, below, versions int64) ([]string, error) {
	return b.texts(ctx, versions == 1 && b.expectsSmall(), "lrange", b.layout.list(key.Namespace, key.Thread), 2*below, 2*(below+versions)-1)
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

// smallState is how large what a load brings is at most, so that it may travel with
// others.
const smallState = 32 << 10

// learnSize keeps loads from travelling together after one that brought much: those
// that come with it would have to wait for all of it.
func (b *backend) learnSize(reply []string) {
	size := 0
	for _, s := range reply {
		size += len(s)
	}
	if size > smallState {
		b.large.Store(maxBatch)
	}
}

// expectsSmall reports whether what a load brings is likely to be small, as it was the
// last times.
func (b *backend) expectsSmall() bool {
	n := b.large.Load()
	return n <= 0 || b.large.Add(-1) < 0
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
	lines, err := b.readBy(ctx, false, findScript, b.layout.thread(req.Key)[:2], escape(req.ID))
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
