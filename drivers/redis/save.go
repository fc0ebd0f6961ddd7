package redis

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
	"github.com/redis/go-redis/v9"
)

const (
	// throughLua is the size up to which a payload is an argument of save.lua.
	// Lua hashes every byte of its strings, about a microsecond for a kilobyte;
	// larger payloads are pushed by a command beside the script, in one
	// transaction with it.
	throughLua = 8 << 10

	// maxPayload is below proto-max-bulk-len of a server as it comes: 512 MB.
	maxPayload = 512<<20 - 1
)

// save writes the next version: a patch, if the request has a Base.
func (b *backend) save(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
	w := write{
		key: req.Key, id: req.ID, payload: req.Payload, encoding: req.Encoding, metadata: req.Metadata,
		now: req.Now, created: req.Now, saved: req.Now, expires: req.ExpiresAt, keep: req.Keep,
	}
	w.match = condition(req.Match)
	if req.Digest != "" {
		w.chain = escape(req.Digest)
	}
	if req.Base != 0 {
		w.chain += " " + strconv.FormatInt(req.Base, 10) + " " + escape(req.Previous.ID) + " " + escape(req.Previous.Digest)
	}
	info, err := b.write(ctx, w)
	if err == nil && info.Base != 0 {
		b.expectChains()
	}
	return info, err
}

// condition writes a condition as scripts take it.
func condition(m driver.Match) string {
	switch {
	case m.Absent:
		return "-"
	case m.Exists:
		return "+"
	case m.ID != "":
		return "=" + escape(m.ID)
	case m.Version != 0:
		return "#" + strconv.FormatInt(m.Version, 10)
	}
	return ""
}

// importCheckpoint writes a version as it is.
func (b *backend) importCheckpoint(ctx context.Context, req driver.ImportRequest) error {
	_, err := b.write(ctx, write{
		key: req.Key, id: req.ID, payload: req.Payload, encoding: req.Encoding, metadata: req.Metadata,
		now: req.Now, created: req.CreatedAt, saved: req.SavedAt, expires: req.ExpiresAt, keep: req.Keep,
		match: condition(req.Match), version: strconv.FormatInt(req.Version, 10),
	})
	return err
}

// A write is a Save, a SavePatch or an Import.
type write struct {
	key                          driver.Key
	id                           string
	payload                      []byte
	encoding                     string
	metadata                     map[string]string
	now, created, saved, expires time.Time
	keep                         int
	match                        string // as save.lua takes it
	version                      string // "" for the next one
	chain                        string // as save.lua takes it
}

// write runs save.lua. It sends it once only: after a lost answer it looks
// whether the checkpoint is there, and does not try again, for the first
// attempt might still arrive. No condition changes that: another caller may save
// with the id that it asks for anew, once that is not kept any more, and then two
// attempts would meet it.
func (b *backend) write(ctx context.Context, w write) (driver.Info, error) {
	if len(w.payload) > maxPayload {
		return driver.Info{}, fmt.Errorf("%w: %d bytes, and a value in Redis has at most %d", driver.ErrTooLarge, len(w.payload), maxPayload)
	}
	rest, err := restOfInfo(w.saved, len(w.payload), w.encoding, w.metadata)
	if err != nil {
		return driver.Info{}, err
	}
	payload := w.payload
	if b.calls == nil {
		payload = bytes.Clone(payload) // see apart: an attempt may outlive this call
	}
	sent := &blob{data: payload}
	keys, argv := b.layout.thread(w.key), w.argv(rest)
	reply, err := doBy(ctx, b, len(payload) <= throughLua, sent.unsent, func(ctx context.Context, send sender) (string, error) {
		sent.written.Store(false)
		return b.runSave(ctx, send, keys, argv, sent)
	})
	switch {
	case err != nil && b.inDoubt(ctx, err, sent):
		until := time.Unix(0, sent.first.Load()).Add(patience)
		if info, ok := b.lookUp(ctx, until, w.key, w.id); ok {
			return info, nil
		}
		if b.refusedSize(ctx, until, len(w.payload)) {
			err = errValueTooLarge
		}
		return driver.Info{}, b.report(ctx, err)
	case err != nil:
		return driver.Info{}, b.report(ctx, err)
	}
	return verdictOf(w.key, reply)
}

// argv are the arguments of save.lua but the payload.
func (w write) argv(rest string) []any {
	lifetime := int64(0)
	if !w.expires.IsZero() {
		lifetime = w.expires.UnixMilli() - w.now.UnixMilli() + 1
	}
	return []any{
		w.key.Thread, escape(w.id), w.now.UnixMicro(), w.keep, w.match, w.version, w.created.UnixMicro(), orNever(w.expires), lifetime, rest, w.chain,
	}
}

// runSave sends the payload and the script in one round trip, by send if that is one
// command, and returns the script's answer.
func (b *backend) runSave(ctx context.Context, send sender, keys []string, argv []any, payload *blob) (string, error) {
	if len(payload.data) <= throughLua {
		argv = append(slices.Clip(argv), payload)
		cmd, err := process(ctx, b, saveScript, send, func(bySource bool) onceString {
			return stringOf(ctx, saveScript.args(bySource, false, keys, argv...)...)
		})
		if err != nil {
			return "", err
		}
		return cmd.Val(), nil
	}
	_, told := b.told.Load(saveScript.digest)
	answer, err := b.pushBeside(ctx, !told, keys, argv, payload)
	if told && noScript(err) {
		answer, err = b.pushBeside(ctx, true, keys, argv, payload)
	}
	if err == nil {
		b.told.Store(saveScript.digest, struct{}{})
	}
	return answer, err
}

// pushBeside saves in a transaction of three commands. The script decides, and
// if it accepts, renames the list; the next command pushes the payload if there
// is a list of the new name; the last one gives the list its name back. Where
// the script refuses, or is not known to the server, the others find nothing.
func (b *backend) pushBeside(ctx context.Context, bySource bool, keys []string, argv []any, payload *blob) (string, error) {
	list, gate := keys[0], keys[4]
	save := stringOf(ctx, saveScript.args(bySource, false, keys, argv...)...)
	push := anyOf(ctx, "lpushx", gate, payload)
	back := anyOf(ctx, "rename", gate, list)
	pipe := b.client.TxPipeline()
	pipe.Process(ctx, save)
	pipe.Process(ctx, push)
	pipe.Process(ctx, back)
	_, err := pipe.Exec(ctx)
	switch {
	case save.Val() != "":
		return save.Val(), nil // a refusal makes the last command fail
	case err == nil:
		return "", nil
	}
	return "", cause(err, save, push, back)
}

// cause returns the error that made a transaction fail, which the server's
// EXECABORT does not tell.
func cause(err error, cmds ...redis.Cmder) error {
	for _, cmd := range cmds {
		if text, ok := answer(cmd.Err()); ok && !strings.HasPrefix(text, "EXECABORT") {
			return cmd.Err()
		}
	}
	return err
}

// verdictOf reads the answer of save.lua and delete.lua.
func verdictOf(key driver.Key, reply string) (driver.Info, error) {
	if reply == "" {
		return driver.Info{}, fmt.Errorf("%w: the server's answer cannot be read", driver.ErrUnavailable)
	}
	switch line := reply[1:]; reply[0] {
	case '+', '=':
		if line == "" {
			return driver.Info{}, nil // a deletion
		}
		return parseInfo(key, line)
	case '!':
		conflict := &driver.ConflictError{}
		if line != "" {
			current, err := parseInfo(key, line)
			if err != nil {
				return driver.Info{}, err
			}
			conflict.Current = current
		}
		return driver.Info{}, conflict
	case 'b':
		return driver.Info{}, driver.ErrBase
	case 'm':
		return driver.Info{}, backends.ErrHighestVersion
	}
	return driver.Info{}, fmt.Errorf("%w: the thread is damaged; delete it to use its name again", driver.ErrCorrupt)
}

// inDoubt reports whether the command that failed with err may have had an
// effect, and there is time to look.
func (b *backend) inDoubt(ctx context.Context, err error, sent *blob) bool {
	return !backends.Classified(err) && b.judge(err) == unreachable && !sent.unsent() && backends.Ended(ctx) == nil && !b.closed.Load()
}

// lookUp looks for a checkpoint of that id among the kept versions, whether the
// thread has expired or not.
func (b *backend) lookUp(ctx context.Context, until time.Time, key driver.Key, id string) (driver.Info, bool) {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	list, past := b.layout.list(key.Namespace, key.Thread), b.layout.past(key.Namespace, key.Thread)
	line, err := b.text(ctx, "lindex", list, 1)
	if err != nil {
		return driver.Info{}, false
	}
	info, err := parseInfo(key, line)
	if err != nil || info.ID == id {
		return info, err == nil
	}
	version, err := b.text(ctx, "hget", past, "id:"+escape(id))
	if err != nil {
		return driver.Info{}, false
	}
	if line, err = b.text(ctx, "hget", past, version); err != nil {
		return driver.Info{}, false
	}
	info, err = parseInfo(key, line)
	return info, err == nil && info.ID == id
}
