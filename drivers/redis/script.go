package redis

import (
	"context"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// The commands here tell go-redis not to repeat them (NoRetry): after a lost
// answer it would send a save again without knowing whether the first one
// arrived. What may be repeated, (*backend).do repeats. go-redis still follows
// the redirections of a cluster, which are answers of a server that did nothing.
//
// They have a step count so that a cluster client does not ask the server for
// the table of all commands first.

type onceStrings struct{ *redis.StringSliceCmd }
type onceString struct{ *redis.StringCmd }
type onceAny struct{ *redis.Cmd }

func (onceStrings) NoRetry() bool { return true }
func (onceString) NoRetry() bool  { return true }
func (onceAny) NoRetry() bool     { return true }

// stringsOf is a command that answers with an array of strings.
func stringsOf(ctx context.Context, args ...any) onceStrings {
	cmd := onceStrings{redis.NewStringSliceCmd(ctx, args...)}
	cmd.SetStepCount(1)
	return cmd
}

// stringOf is a command that answers with a string, or redis.Nil.
func stringOf(ctx context.Context, args ...any) onceString {
	cmd := onceString{redis.NewStringCmd(ctx, args...)}
	cmd.SetStepCount(1)
	return cmd
}

// anyOf is a command whose answer is of no interest, or looked at closely.
func anyOf(ctx context.Context, args ...any) onceAny {
	cmd := onceAny{redis.NewCmd(ctx, args...)}
	cmd.SetStepCount(1)
	return cmd
}

// A blob is an argument that remembers whether it was written to a connection:
// a command with a blob that was never written cannot have had an effect. It
// prints without its content.
type blob struct {
	data    []byte
	written atomic.Bool  // in this attempt
	first   atomic.Int64 // when it was first written, in nanoseconds since 1970
}

// MarshalBinary implements encoding.BinaryMarshaler. go-redis calls it when it
// writes the command, and copies nothing.
func (b *blob) MarshalBinary() ([]byte, error) {
	b.first.CompareAndSwap(0, time.Now().UnixNano())
	b.written.Store(true)
	return b.data, nil
}

// String implements fmt.Stringer.
func (b *blob) String() string { return fmt.Sprintf("(%d bytes)", len(b.data)) }

// unsent reports whether the command can be sent again without harm.
func (b *blob) unsent() bool { return !b.written.Load() }

// A script is a Lua script and the digest that the server knows it by.
type script struct{ source, digest string }

//go:embed *.lua
var sources embed.FS

var (
	saveScript     = load("save.lua")
	deleteScript   = load("delete.lua")
	versionScript  = load("version.lua")
	historyScript  = load("history.lua")
	dueScript      = load("due.lua")
	purgeScript    = load("purge.lua")
	forgetScript   = load("forget.lua")
	registerScript = load("register.lua")
	findScript     = load("find.lua")
	versionsScript = load("versions.lua")
	rewriteScript  = load("rewrite.lua")
)

// load reads an embedded script, after what all of them share, without comments
// and indentation.
func load(name string) script {
	var b strings.Builder
	for _, name := range []string{"info.lua", name} {
		text, err := sources.ReadFile(name)
		if err != nil {
			panic(err)
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if line != "" && !strings.HasPrefix(line, "--") {
				b.WriteString(line)
				b.WriteByte('\n')
			}
		}
	}
	digest := sha1.Sum([]byte(b.String()))
	return script{b.String(), hex.EncodeToString(digest[:])}
}

// noScript reports whether the server does not know the digest: it has
// restarted, or somebody has flushed its scripts.
func noScript(err error) bool {
	text, ok := answer(err)
	return ok && strings.HasPrefix(text, "NOSCRIPT")
}

// args is a command that runs the script: by its source if bySource, else by
// its digest.
func (s script) args(bySource, readOnly bool, keys []string, argv ...any) []any {
	name, text := "evalsha", s.digest
	if bySource {
		name, text = "eval", s.source
	}
	if readOnly {
		name += "_ro"
	}
	all := make([]any, 0, 3+len(keys)+len(argv))
	all = append(all, name, text, len(keys))
	for _, k := range keys {
		all = append(all, k)
	}
	return append(all, argv...)
}

// process runs the script command that build builds by send: with the source the first time, and later when the server does not know
// the digest.
func process[C redis.Cmder](ctx context.Context, b *backend, s script, send sender, build func(bySource bool) C) (C, error) {
	_, told := b.told.Load(s.digest)
	cmd := build(!told)
	err := send(ctx, cmd)
	if told && noScript(err) {
		told = false
		cmd = build(true)
		err = send(ctx, cmd)
	}
	if !told && (err == nil || isNil(err)) {
		b.told.Store(s.digest, struct{}{})
	}
	return cmd, err
}

// text runs a command that reads one string; redis.Nil if there is none.
func (b *backend) text(ctx context.Context, args ...any) (string, error) {
	return do(ctx, b, always, func(ctx context.Context) (string, error) {
		cmd := stringOf(ctx, args...)
		err := b.client.Process(ctx, cmd)
		return cmd.Val(), err
	})
}

// texts runs a command that reads an array of strings, a small one if small.
func (b *backend) texts(ctx context.Context, small bool, args ...any) ([]string, error) {
	return doBy(ctx, b, small, always, func(ctx context.Context, send sender) ([]string, error) {
		cmd := stringsOf(ctx, args...)
		if err := send(ctx, cmd); err != nil {
			return nil, err
		}
		return cmd.Val(), nil
	})
}

// readBy runs a script that reads an array of strings, a small one if small.
func (b *backend) readBy(ctx context.Context, small bool, s script, keys []string, argv ...any) ([]string, error) {
	return doBy(ctx, b, small, always, func(ctx context.Context, send sender) ([]string, error) {
		// TIME is no command of a script that only reads, to some servers.
		readOnly := s != dueScript && !b.old.Load()
		cmd, err := process(ctx, b, s, send, func(bySource bool) onceStrings {
			return stringsOf(ctx, s.args(bySource, readOnly, keys, argv...)...)
		})
		if readOnly && unknownCommand(err) {
			b.old.Store(true)
			cmd, err = process(ctx, b, s, send, func(bySource bool) onceStrings {
				return stringsOf(ctx, s.args(bySource, false, keys, argv...)...)
			})
		}
		if err != nil {
			return nil, err
		}
		return cmd.Val(), nil
	})
}

// unknownCommand reports whether the server lacks a command, as servers before
// Redis 7.0 lack EVALSHA_RO.
func unknownCommand(err error) bool {
	text, ok := answer(err)
	return ok && strings.HasPrefix(strings.ToLower(text), "err unknown command")
}
