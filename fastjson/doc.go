// Package fastjson is a faster codec for JSON, in a module of its own:
//
//	store, err := checkpoint.Open("redis", url, checkpoint.WithCodec(fastjson.Codec))
//
// It writes and reads the encoding "json", as stores without it do. Either reads what
// the other has written, so that programs can change one by one, and back. It uses
// github.com/bytedance/sonic, which decodes 1.5 to 5 times and encodes 1 to 3 times as
// fast as encoding/json, and was chosen over github.com/goccy/go-json, which writes
// long texts no faster than encoding/json and reads beyond the end of a damaged text,
// and over encoding/json/v2, which decodes up to twice as fast and needs Go
// 1.27. Measure with your own states:
//
//	go test github.com/go-ckpt/checkpoint/fastjson -run xxx -bench .
//
// # Where it is faster
//
// On amd64 and arm64, with the versions of Go that this version of sonic knows, up to
// 1.27. Elsewhere everything is encoding/json's, at its speed. No build tags are
// needed. Left to encoding/json everywhere are states of types with what the two libraries treat
// differently or what has crashed in sonic: interfaces with methods, maps whose keys
// are not plain strings, embedded fields, the tag option "string", names of fields that
// are not letters, digits, '_' and '-' of ASCII or differ in case only; and, of types with
// bytes, a state in which some text ends with '=' and is not as long as base64. States are
// loaded fast into a variable that is zero, as [checkpoint.Get] and
// [checkpoint.Update] do, and through encoding/json into others. The first state of a
// type costs some milliseconds, in which code for it is made.
//
// # Risks
//
// Sonic generates machine code at run time, is written with package unsafe, and reaches
// into the runtime of Go. Mistakes in such code end the program or damage its memory
// where encoding/json returns an error, and its issues tell of some. A state that
// another goroutine changes while it is saved is such a mistake. It needs memory that
// may be written and then executed, which hardened systems forbid. A new version of Go
// needs a new version of sonic to be fast. Programs that must not take that risk are
// better off without this package.
//
// What is not UTF-8, nests deeper than 1,000 levels or has a damaged escape is not given
// to sonic but to encoding/json, and what sonic refuses is given to encoding/json again:
// errors are the same as without the package. A stored state that is damaged otherwise is
// read by sonic.
//
// # Differences
//
// Differential fuzz tests compare both libraries. What is left:
//
//   - A few characters are spelled differently, such as U+2028 as itself and not as an
//     escape. The value is the same. Names in a map are sorted, and numbers are spelled
//     alike.
//   - A name that stands twice in one object, which only JSON from elsewhere has: the
//     last one counts, but where both are objects in a map of structs, the fields of the
//     first that the last lacks are kept.
//   - Names match fields whatever the case of letters of ASCII is; encoding/json also takes
//     U+017F for s and U+212A for k.
//   - Numbers in an any are float64; there is no counterpart of [checkpoint.JSONNumbers].
package fastjson
