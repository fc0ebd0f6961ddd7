package checkpoint_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// dsnDriver keeps the DSN it was opened with.
type dsnDriver struct{ got string }

func (d *dsnDriver) Open(dsn string) (driver.Backend, error) {
	d.got = dsn
	return memory.New(), nil
}

// registered counts the drivers registered by tests, so that each run of a test
// has a name of its own.
var registered atomic.Int64

func register(d driver.Driver) (name string) {
	name = fmt.Sprintf("test%d", registered.Add(1))
	checkpoint.Register(name, d)
	return name
}

func TestRegister(t *testing.T) {
	d := new(dsnDriver)
	name := register(d)
	if got := checkpoint.Drivers(); !slices.Contains(got, name) || !slices.IsSorted(got) {
		t.Errorf("Drivers() = %q, want it sorted and with %s", got, name)
	}
	for want, call := range map[string]func(){
		`checkpoint: Register of a driver with an empty name`:            func() { checkpoint.Register("", d) },
		`checkpoint: Register of a nil driver as "x"`:                    func() { checkpoint.Register("x", nil) },
		`checkpoint: Register called twice for driver "` + name + `"`:    func() { checkpoint.Register(name, d) },
		`checkpoint: RegisterCompressor of a nil compressor`:             func() { checkpoint.RegisterCompressor(nil) },
		`checkpoint: RegisterCompressor: the name "aead" is reserved`:    func() { checkpoint.RegisterCompressor(flater{name: "aead"}) },
		`checkpoint: RegisterCompressor: the name "a+b": only printable`: func() { checkpoint.RegisterCompressor(flater{name: "a+b"}) },
	} {
		func() {
			defer func() {
				if got, _ := recover().(string); !strings.HasPrefix(got, want) {
					t.Errorf("panic = %q, want %q", got, want)
				}
			}()
			call()
		}()
	}
}

func TestOpenErrors(t *testing.T) {
	const common = "every driver's: compress, history, incremental, max_state_size, namespace, ttl"
	for _, tt := range []struct {
		driver, dsn string
		is          error
		want        string
	}{
		{"postgre", "x", checkpoint.ErrUnknownDriver, `checkpoint: open (postgre): unknown driver "postgre" (forgotten import?); registered: `},
		{"postgres://u:hunter2@somewhere/with-a-long-name", "postgres", checkpoint.ErrUnknownDriver, `checkpoint: open: unknown driver of a name of 47 bytes (driver name and DSN exchanged?); registered: `},
		{"memory", "?colour=red", checkpoint.ErrInvalid, `checkpoint: open (memory): invalid DSN: unknown word "colour"; this driver's words: none of its own; ` + common},
		{"memory", "?b=1&a=2&ttl=1h", checkpoint.ErrInvalid, `checkpoint: open (memory): invalid DSN: unknown words "a", "b"; this driver's words: none of its own; ` + common},
		{"memory", "?ttl=1h&ttl=2h", checkpoint.ErrInvalid, `checkpoint: open (memory): invalid DSN: word "ttl" is given twice`},
		{"memory", "?colour=1&colour=1", checkpoint.ErrInvalid, `checkpoint: open (memory): invalid DSN: word "colour" is given twice`},
		{"memory", "?ttl=soon", checkpoint.ErrInvalid, `checkpoint: open (memory): invalid DSN: word "ttl" is "soon": want a duration such as 90s or 24h, or 0`},
		{"memory", "?ttl=-1h", checkpoint.ErrInvalid, `checkpoint: open (memory): invalid DSN: word "ttl" is "-1h": want a duration such as 90s or 24h, or 0`},
		{"memory", "?history=0", checkpoint.ErrInvalid, `checkpoint: open (memory): invalid DSN: word "history" is "0": want a whole number of at least 1, or all`},
		{"memory", "?history=many", checkpoint.ErrInvalid, `checkpoint: open (memory): invalid DSN: word "history" is "many": want a whole number of at least 1, or all`},
		{"memory", "?max_state_size=16MB", checkpoint.ErrInvalid, `checkpoint: open (memory): invalid DSN: word "max_state_size" is "16MB": want a whole number from 1 to 1073741824`},
		{"memory", "?namespace=a%20b", checkpoint.ErrInvalid, `checkpoint: open (memory): invalid DSN: word "namespace": invalid namespace "a b": only A-Z a-z 0-9 . _ - are allowed`},
		{"memory", "?namespace=", checkpoint.ErrInvalid, `checkpoint: open (memory): invalid DSN: word "namespace": invalid namespace: it is empty`},
		{"memory", "?compress=brotli", checkpoint.ErrInvalid, `checkpoint: open (memory): invalid DSN: word "compress" is "brotli": want a registered compressor`},
		{"memory", "?ttl=%zz", checkpoint.ErrInvalid, `checkpoint: open (memory): invalid DSN: word "ttl": the value has a '%' that starts no escape (write %25)`},
		{"memory", "?ttl", checkpoint.ErrInvalid, `checkpoint: open (memory): invalid DSN: what follows '?' must be word=value pairs joined by '&'`},
		{"memory", "user:pass?hunter2@host/db", checkpoint.ErrInvalid, `checkpoint: open (memory): invalid DSN: what follows '?' must be word=value pairs joined by '&'`},
	} {
		t.Run(tt.driver+tt.dsn, func(t *testing.T) {
			_, err := checkpoint.Open(tt.driver, tt.dsn)
			if !errors.Is(err, tt.is) || err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Fatalf("Open(%q, %q) = %v\nwant %s", tt.driver, tt.dsn, err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("Open shows a password: %v", err)
			}
			if e, ok := errors.AsType[*checkpoint.Error](err); !ok || e.Op != "open" {
				t.Errorf("Open = %#v, want an *Error of open", err)
			}
		})
	}
}

func TestOpenBadOptions(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]checkpoint.Option{
		"namespace":        checkpoint.WithNamespace("a/b"),
		"negative ttl":     checkpoint.WithTTL(-1),
		"no history":       checkpoint.WithHistory(0),
		"no size":          checkpoint.WithMaxStateSize(0),
		"nil clock":        checkpoint.WithClock(nil),
		"nil codec":        checkpoint.WithCodec(nil),
		"codec json":       checkpoint.WithCodec(gobCodec{name: "json"}),
		"codec bytes":      checkpoint.WithCodec(gobCodec{name: "bytes"}),
		"JSON codec xml":   checkpoint.WithCodec(otherJSON{"xml"}),
		"codec with plus":  checkpoint.WithCodec(gobCodec{name: "gob+x"}),
		"codec empty":      checkpoint.WithCodec(gobCodec{}),
		"nil compressor":   checkpoint.WithCompression(nil),
		"compressor aead":  checkpoint.WithCompression(flater{name: "aead"}),
		"nil aead":         checkpoint.WithEncryption(nil),
		"namespace length": checkpoint.WithNamespace(strings.Repeat("n", 129)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := checkpoint.Open("memory", "", opt); !errors.Is(err, checkpoint.ErrInvalid) {
				t.Errorf("Open = %v, want ErrInvalid", err)
			}
			s := checkpoint.New(memory.New(), opt)
			if err := s.Ping(t.Context()); !errors.Is(err, checkpoint.ErrInvalid) {
				t.Errorf("Ping of a store from New = %v, want ErrInvalid", err)
			}
			if err := s.Namespace("fine").Delete(t.Context(), "x"); !errors.Is(err, checkpoint.ErrInvalid) {
				t.Errorf("Delete through a view = %v, want ErrInvalid", err)
			}
		})
	}
}

// TestWords: the words that are the same for every driver are taken out of the
// DSN, the rest reaches the driver as it was written, and options win.
func TestWords(t *testing.T) {
	d := new(dsnDriver)
	name := register(d)
	clock := newClock()
	s, err := checkpoint.Open(name, "host=h password=p%20 ?a%2Fb=nope", checkpoint.WithClock(clock.Now))
	if err == nil {
		t.Fatalf("Open with an escaped name = %v, want an error", s)
	}
	s, err = checkpoint.Open(name, name+"://u:p%40ss@h/x?b=%2F+1&ttl=1h&addr=one&history=all&addr=two&namespace=tenant.a&max_state_size=100", checkpoint.WithClock(clock.Now))
	if err != nil {
		t.Fatal(err)
	}
	if want := name + "://u:p%40ss@h/x?b=%2F+1&addr=one&addr=two"; d.got != want {
		t.Errorf("the driver got %q, want %q", d.got, want)
	}
	info, err := s.Save(t.Context(), "thread", 1)
	if err != nil {
		t.Fatal(err)
	}
	if info.Namespace != "tenant.a" || !info.ExpiresAt.Equal(clock.Now().Add(time.Hour)) {
		t.Errorf("Save = %+v, want namespace tenant.a and expiry in an hour", info)
	}
	for range 3 {
		if _, err := s.Save(t.Context(), "thread", 1); err != nil {
			t.Fatal(err)
		}
	}
	if infos, err := collect(s.History(t.Context(), "thread", checkpoint.HistoryOptions{})); len(infos) != 4 || err != nil {
		t.Errorf("History = %d versions, %v, want 4", len(infos), err)
	}
	if _, err := s.Save(t.Context(), "thread", strings.Repeat("x", 99)); !errors.Is(err, checkpoint.ErrTooLarge) {
		t.Errorf("Save of 101 bytes = %v, want ErrTooLarge", err)
	}
	if _, err = checkpoint.OpenURL(name+":?namespace=word&ttl=1h", checkpoint.WithNamespace("option"), checkpoint.WithTTL(0)); err != nil {
		t.Fatal(err)
	}
	if d.got != name+":" {
		t.Errorf("OpenURL gave the driver %q, want %q", d.got, name+":")
	}
}

func TestOptionWinsOverWord(t *testing.T) {
	t.Parallel()
	s, err := checkpoint.OpenURL("memory:?namespace=word&ttl=1h", checkpoint.WithNamespace("option"), checkpoint.WithTTL(0))
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Save(t.Context(), "thread", 1)
	if err != nil || info.Namespace != "option" || !info.ExpiresAt.IsZero() {
		t.Errorf("Save = %+v, %v, want the namespace and the TTL of the options", info, err)
	}
}

// TestOpenForm: what a shell or a file has left around a name is told apart from a
// driver that is not there, whatever the driver.
func TestOpenForm(t *testing.T) {
	t.Parallel()
	for _, url := range []string{" memory:", "memory:x\n", `"memory:"`, "'nothing:'"} {
		for what, open := range map[string]func() (*checkpoint.Store, error){
			"OpenURL": func() (*checkpoint.Store, error) { return checkpoint.OpenURL(url) },
			"Open":    func() (*checkpoint.Store, error) { return checkpoint.Open("memory", url) },
		} {
			if _, err := open(); !errors.Is(err, checkpoint.ErrInvalid) || !strings.Contains(err.Error(), "take") {
				t.Errorf("%s(%q) = %v, want ErrInvalid that says what to take out", what, url, err)
			}
		}
	}
}

func TestOpenURLWithoutScheme(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "agents.db", ":memory:", "user hunter2 and a sentence with a colon late: x"} {
		_, err := checkpoint.OpenURL(url)
		if !errors.Is(err, checkpoint.ErrInvalid) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("OpenURL(%q) = %v, want ErrInvalid that does not show it", url, err)
		}
	}
	if _, err := checkpoint.OpenURL("Memory:x"); !errors.Is(err, checkpoint.ErrUnknownDriver) {
		t.Errorf("OpenURL of an upper case scheme = %v, want ErrUnknownDriver", err)
	}
}
