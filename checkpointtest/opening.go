package checkpointtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/driver/dsn"
)

// valid opens a DSN, or ends the case.
func (o *opening) valid(dsn string) driver.Backend {
	b, err := o.driver.Open(dsn)
	if err != nil || b == nil {
		o.Fatalf("Open(%s) = %v, error %v, want a backend", o.show(dsn), b, err)
	}
	return b
}

// refused opens a DSN that is wrong, and returns the error's text.
func (o *opening) refused(dsn, what string) string {
	b, err := o.driver.Open(dsn)
	if err == nil {
		if b != nil {
			b.Close()
		}
		o.Errorf("Open(%s) with %s succeeded, want an error", o.show(dsn), what)
		return ""
	}
	if !errors.Is(err, driver.ErrInvalid) {
		o.Errorf("Open(%s) with %s: error %v, want one that matches ErrInvalid", o.show(dsn), what, err)
	}
	return err.Error()
}

// show quotes a DSN without its password.
func (o *opening) show(dsn string) string {
	if o.dsns.Secret != "" {
		dsn = strings.ReplaceAll(dsn, o.dsns.Secret, "…")
	}
	return fmt.Sprintf("%q", dsn)
}

// with adds words to a DSN.
func with(dsn string, words ...string) string {
	query := strings.Join(words, "&")
	switch {
	case !strings.Contains(dsn, "?"):
		return dsn + "?" + query
	case strings.HasSuffix(dsn, "?"):
		return dsn + query
	}
	return dsn + "&" + query
}

// own takes the words out of a DSN that package checkpoint takes out.
func own(source string) string {
	base, query := dsn.Split(source)
	words := slices.DeleteFunc(strings.Split(query, "&"), func(word string) bool {
		return word == "" || slices.Contains(dsn.Common, wordName(word))
	})
	if len(words) == 0 {
		return base
	}
	return with(base, words...)
}

func wordName(word string) string {
	name, _, _ := strings.Cut(word, "=")
	return name
}

func openValid(o *opening) {
	if len(o.dsns.Valid) == 0 || len(o.dsns.Names) == 0 {
		o.Fatalf("DSNs has %d Names and %d Valid, want some of each", len(o.dsns.Names), len(o.dsns.Valid))
	}
	accepted := slices.Clone(o.dsns.Valid)
	for _, word := range o.dsns.Words {
		accepted = append(accepted, with(o.dsns.Valid[0], word))
	}
	for _, dsn := range accepted {
		first, second := o.valid(dsn), o.valid(dsn)
		for _, b := range []driver.Backend{first, second} {
			if err := b.Close(); err != nil {
				o.Errorf("Close of what Open(%s) returned: error %v, want nil", o.show(dsn), err)
			}
		}
		if err := first.Ping(o.ctx); !errors.Is(err, driver.ErrClosed) {
			o.Errorf("Ping of what Open(%s) returned, after Close: error %v, want ErrClosed", o.show(dsn), err)
		}
	}
}

func openWholeURL(o *opening) {
	for _, name := range o.dsns.Names {
		i := slices.IndexFunc(o.dsns.Valid, func(dsn string) bool { return strings.HasPrefix(dsn, name+":") })
		if i < 0 {
			o.Errorf("none of Valid is a whole URL of %q, want one that begins with %q", name, name+":")
			continue
		}
		o.valid(o.dsns.Valid[i]).Close()
		if e, ok := o.driver.(driver.Exampler); ok {
			example := e.ExampleDSN(name)
			if !strings.HasPrefix(example, name+":") {
				o.Errorf("ExampleDSN(%q) = %q, want a whole URL, %q", name, example, name+":…")
			}
			o.valid(own(example)).Close()
		}
	}
}

func openInvalid(o *opening) {
	for _, dsn := range o.dsns.Invalid {
		o.refused(dsn, "what is wrong with it")
	}
	for _, dsn := range o.dsns.Valid {
		for _, words := range []string{"checkpointtest", "=value", "a-word=value", "word=%zz", "?word=value"} {
			o.refused(with(dsn, words), "a word that has no name and value")
		}
	}
}

func openForeignURL(o *opening) {
	const secret = "checkpointtest-s3cret"
	for _, dsn := range []string{
		"checkpointtest://user:" + secret + "@localhost/agents",
		"checkpointtest://user:" + secret + "@localhost:1/agents?word=value",
	} {
		if text := o.refused(dsn, "the scheme of another driver"); strings.Contains(text, secret) {
			o.Errorf("Open(%q): the error %q shows the password", dsn, text)
		}
	}
}

func openUnknownWord(o *opening) {
	const word, value = "checkpointtest_word", "v4lue-of-it"
	for _, dsn := range o.dsns.Valid {
		for _, words := range [][]string{{word + "=" + value}, {word + "="}, {strings.ToUpper(word) + "=" + value}} {
			text := o.refused(with(dsn, words...), "an unknown word")
			if text == "" {
				continue
			}
			if name := wordName(words[0]); !strings.Contains(text, name) {
				o.Errorf("Open with the unknown word %q: the error %q does not name it", name, text)
			}
			if strings.Contains(text, value) {
				o.Errorf("Open with an unknown word: the error %q shows its value", text)
			}
			for _, known := range o.dsns.Words {
				if !strings.Contains(text, wordName(known)) {
					o.Errorf("Open with an unknown word: the error %q does not list %q among those allowed", text, wordName(known))
				}
			}
		}
	}
	for _, known := range o.dsns.Words { // and not a known one in another spelling
		name := wordName(known)
		o.refused(with(o.dsns.Valid[0], strings.ToUpper(name[:1])+strings.Replace(known, name[:1], "", 1)), "a word in another case")
	}
}

func openRepeatedWord(o *opening) {
	for _, word := range o.dsns.Words {
		name := wordName(word)
		if name == "addr" { // which alone may be
			continue
		}
		if text := o.refused(with(o.dsns.Valid[0], word, word), "a word given twice"); text != "" && !strings.Contains(text, name) {
			o.Errorf("Open with the word %q given twice: the error %q does not name it", name, text)
		}
	}
}

// openSecrets also opens DSNs that somebody has mistyped: cut off, or with one
// character too many, anywhere.
func openSecrets(o *opening) {
	secret := o.dsns.Secret
	if secret == "" {
		return
	}
	wrong := slices.Clone(o.dsns.Invalid)
	places := 0
	for _, dsn := range o.dsns.Valid {
		at := strings.Index(dsn, secret)
		if at < 0 {
			continue
		}
		places++
		b := o.valid(dsn)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, b); strings.Contains(text, secret) {
				o.Errorf("a backend of Open(%s) printed with %s shows the password", o.show(dsn), verb)
			}
		}
		b.Close()
		for i := range len(dsn) + 1 {
			if i > at && i < at+len(secret) {
				continue
			}
			wrong = append(wrong, dsn[:i])
			for _, typo := range []string{"%", "%zz", " ", "?", "/", "@", ":", "[", "'", "\x00", "\n", "é", "checkpointtest_word=1&"} {
				wrong = append(wrong, dsn[:i]+typo+dsn[i:])
			}
		}
	}
	if places == 0 {
		o.Errorf("no DSN of Valid holds the Secret, want one that does")
	}
	for _, dsn := range wrong {
		b, err := o.driver.Open(dsn)
		if err == nil {
			b.Close()
			continue
		}
		if strings.Contains(err.Error(), secret) {
			o.Errorf("Open(%s): the error %q shows the password", o.show(dsn), o.show(err.Error()))
		}
		if !errors.Is(err, driver.ErrInvalid) {
			o.Errorf("Open(%s): error %s, want one that matches ErrInvalid", o.show(dsn), o.show(err.Error()))
		}
	}
}

// connections is how often, for 10 ms each, a connection is waited for that Open may
// make in the background. It comes from the same machine; in several rounds what makes
// it has its turn also where the machine is busy.
const connections = 10

func openNoConnection(o *opening) {
	if o.dsns.Server == nil {
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		o.Fatalf("the suite's own listener: %v", err)
	}
	defer listener.Close()
	accept := func(wait time.Duration) bool {
		listener.(*net.TCPListener).SetDeadline(time.Now().Add(wait))
		conn, err := listener.Accept()
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	dsn := o.dsns.Server(listener.Addr().String())
	b := o.valid(dsn)
	defer b.Close()
	for range connections {
		if accept(10 * time.Millisecond) {
			o.Fatalf("Open(%s) made a connection", o.show(dsn))
		}
	}
	ctx, cancel := context.WithCancel(o.ctx)
	done := make(chan error, 1)
	go func() { done <- b.Ping(ctx) }()
	if !accept(10 * time.Second) {
		o.Errorf("Ping of what Open(%s) returned made no connection: the DSN leads elsewhere, and the case shows nothing", o.show(dsn))
	}
	cancel()
	<-done
}

func openNoFile(o *opening) {
	if o.dsns.File == nil {
		return
	}
	folder, err := os.MkdirTemp("", "checkpointtest-")
	if err != nil {
		o.Fatalf("the suite's own folder: %v", err)
	}
	defer os.RemoveAll(folder)
	files := func() (names []string) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			o.Fatalf("the suite's own folder: %v", err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	dsn := o.dsns.File(folder)
	b := o.valid(dsn)
	defer b.Close()
	if made := files(); len(made) > 0 {
		o.Fatalf("Open(%s) made %q", o.show(dsn), made)
	}
	if err := b.Ping(o.ctx); err != nil {
		o.Fatalf("Ping of what Open(%s) returned: error %v, want nil", o.show(dsn), err)
	}
	if len(files()) == 0 {
		o.Errorf("Ping of what Open(%s) returned made no file in the folder: the DSN leads elsewhere, and the case shows nothing", o.show(dsn))
	}
	if err := b.Close(); err != nil {
		o.Errorf("Close: error %v, want nil", err)
	}
}
