package checkpointtest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/driver/dsn"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// opener is a driver that reads "opener://user:password@ADDRESS" and "FOLDER", with
// the word size, and is right but for one fault.
type opener struct {
	fault string
}

// The DSNs of an opener.
var opened = checkpointtest.DSNs{
	Names:   []string{"opener"},
	Valid:   []string{"opener://user:s3cret@localhost:1/agents", "opener:folder", "folder", "folder?size=2"},
	Invalid: []string{"", "opener:", "folder?size=many", "opener://user:s3cret@"},
	Words:   []string{"size=10"},
	Secret:  "s3cret",
	Server:  func(address string) string { return "opener://user:s3cret@" + address },
	File:    func(folder string) string { return "opener:" + folder },
}

func (o opener) Open(source string) (driver.Backend, error) {
	base, query := dsn.Split(source)
	if o.fault == "unknown words are passed over" && strings.Contains(strings.ToLower(query), "checkpointtest_word") {
		query = ""
	}
	if o.fault == "of a repeated word the last one counts" && strings.Count(query, "size=") == 2 {
		query = query[strings.LastIndex(query, "&")+1:]
	}
	if o.fault == "words without regard to case" {
		query = strings.Replace(query, "Size=", "size=", 1)
	}
	if o.fault == "nothing is checked" {
		query = "size=1"
	}
	words, err := dsn.Parse(query)
	if err != nil {
		if o.fault == "errors have no class" {
			return nil, errors.New(err.Error())
		}
		return nil, err
	}
	words.Int("size", 10, 1, 100)
	rest, whole := strings.CutPrefix(base, "opener:")
	if o.fault == "no whole URLs" && whole && !strings.HasPrefix(rest, "//") {
		words.Reject(errors.New("want a folder"))
	}
	address, isURL := strings.CutPrefix(rest, "//")
	_, address, _ = strings.Cut(address, "@")
	address, _, _ = strings.Cut(address, "/")
	switch _, _, ok := strings.Cut(rest, ":"); {
	case o.fault == "any scheme" && strings.HasPrefix(base, "checkpointtest:"), o.fault == "nothing is checked":
	case rest == "", !isURL && ok, isURL && address == "", strings.ContainsAny(rest, "\x00"):
		err := errors.New("want a folder or a URL")
		if o.fault == "errors show the DSN" && !strings.HasPrefix(base, "checkpointtest:") || o.fault == "errors show foreign URLs" && strings.HasPrefix(base, "checkpointtest:") {
			err = fmt.Errorf("cannot parse %q", source)
		}
		words.Reject(err)
	}
	if err := words.Done(); err != nil {
		switch o.fault {
		case "unknown words are not named":
			return nil, fmt.Errorf("%w DSN: unknown word; want size", driver.ErrInvalid)
		case "the words allowed are not named":
			return nil, fmt.Errorf("%w DSN: unknown word checkpointtest_word CHECKPOINTTEST_WORD", driver.ErrInvalid)
		case "values of unknown words are shown":
			return nil, fmt.Errorf("%w: %s", err, query)
		}
		return nil, err
	}
	b := &lazy{Backend: memory.New(), address: address, secret: source, fault: o.fault}
	if !isURL {
		b.file = filepath.Join(rest, "data")
	}
	if o.fault == "Open connects" && isURL || o.fault == "Open makes the file" && !isURL {
		b.Ping(context.Background())
	}
	if o.fault == "Open connects in the background" && isURL {
		go b.Ping(context.Background())
	}
	return b, nil
}

// ExampleDSN implements driver.Exampler.
func (o opener) ExampleDSN(name string) string {
	if o.fault == "the example is no whole URL" {
		return "folder"
	}
	return name + ":folder"
}

// lazy is a backend that makes its connection or file when it is pinged.
type lazy struct {
	driver.Backend
	address, file, fault, secret string
}

func (b *lazy) Ping(ctx context.Context) error {
	err := b.Backend.Ping(ctx)
	if err != nil && b.fault != "Ping goes on after Close" {
		return err
	}
	if b.file != "" {
		return os.WriteFile(b.file, nil, 0o600)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", b.address)
	if err == nil {
		err = conn.Close()
	}
	return err
}

func (b *lazy) Format(f fmt.State, _ rune) {
	if b.fault == "a backend prints its DSN" {
		fmt.Fprint(f, b.secret)
	}
}

// TestOpen shows that a driver that is right passes.
func TestOpen(t *testing.T) {
	t.Parallel()
	checkpointtest.RunDriver(t, opener{}, opened)
}

// TestBrokenDrivers shows what the cases about Open find: each fault fails those that
// are about it and no other.
func TestBrokenDrivers(t *testing.T) {
	t.Parallel()
	covered, cases := make(map[string]bool), make(map[string]bool)
	for fault, fails := range map[string][]string{
		"nothing is checked":                     {"Open/Invalid", "Open/ForeignURL", "Open/UnknownWord", "Open/RepeatedWord"},
		"errors have no class":                   {"Open/Invalid", "Open/RepeatedWord", "Open/Secrets"},
		"no whole URLs":                          {"Open/Valid", "Open/WholeURL", "Open/NoFile", "Open/UnknownWord"},
		"the example is no whole URL":            {"Open/WholeURL"},
		"Ping goes on after Close":               {"Open/Valid"},
		"any scheme":                             {"Open/ForeignURL"},
		"errors show foreign URLs":               {"Open/ForeignURL"},
		"unknown words are passed over":          {"Open/UnknownWord"},
		"words without regard to case":           {"Open/UnknownWord"},
		"unknown words are not named":            {"Open/UnknownWord"},
		"the words allowed are not named":        {"Open/UnknownWord"},
		"values of unknown words are shown":      {"Open/UnknownWord"},
		"of a repeated word the last one counts": {"Open/RepeatedWord"},
		"errors show the DSN":                    {"Open/Secrets"},
		"a backend prints its DSN":               {"Open/Secrets"},
		"Open connects":                          {"Open/NoConnection"},
		"Open connects in the background":        {"Open/NoConnection"},
		"Open makes the file":                    {"Open/NoFile"},
	} {
		for _, name := range fails {
			covered[name] = true
		}
		t.Run(fault, func(t *testing.T) {
			for _, r := range checkpointtest.VerifyDriver(t.Context(), opener{fault}, opened).Results {
				cases[r.Case] = true
				if failed, want := r.Outcome == checkpointtest.Failed, slices.Contains(fails, r.Case); failed != want {
					t.Errorf("%s %s, want it to fail: %t\n%s", r.Case, r.Outcome, want, r.Reason)
				}
			}
		})
	}
	for name := range cases {
		if !covered[name] {
			t.Errorf("no broken driver fails %s", name)
		}
	}
}
