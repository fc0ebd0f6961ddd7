package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint/internal/cli/ui"
)

func newUI(a *app) *cobra.Command {
	u := serving{app: a}
	cmd := &cobra.Command{
		Use:   "ui",
		Short: "Look into the store in a browser",
		Long: `Ui serves a page on this machine alone, and prints its address: the threads, the
time line of each, the states as trees, what changed between two versions, and
logs that follow. It ends when it is interrupted. With --write the page also
restores, forks, edits and deletes; without it every change is refused.

The address ends in a token that lets one browser in, for as long as the command
runs; whoever knows it sees what the store holds, so do not pass it on.`,
		Example: `  checkpoint ui
  checkpoint ui --write
  checkpoint ui --addr 127.0.0.1:8080`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return u.run(cmd.Context()) },
	}
	cmd.Flags().StringVar(&u.addr, "addr", "127.0.0.1:0", "`HOST:PORT` of this machine's loopback to serve on; port 0 is a free one")
	cmd.Flags().BoolVar(&u.write, "write", false, "allow the page to change what is stored")
	return cmd
}

// memoryLimit has the garbage collected sooner that pages of large states leave: the
// page is a guest on a machine that has other work.
const memoryLimit = 64 << 20

// A serving is one run of ui.
type serving struct {
	*app
	addr  string
	write bool
}

func (u *serving) run(ctx context.Context) error {
	addr, err := loopback(u.addr)
	if err != nil {
		return err
	}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(memoryLimit))
	src := u.source(false)
	store, err := src.open()
	if err != nil {
		return err
	}
	defer store.Close()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	host := listener.Addr().String()
	_, port, _ := net.SplitHostPort(host)
	token := rand.Text()
	_, ownTTL := src.word("ttl")
	server := http.Server{
		Handler: ui.New(store, ui.Options{
			Token:     token,
			Hosts:     []string{host, net.JoinHostPort("localhost", port)},
			Write:     u.write,
			OwnTTL:    ownTTL,
			ErrorText: errorText,
		}),
		DisableGeneralOptionsHandler: true, // which would answer without the handler's headers
		ReadHeaderTimeout:            5 * time.Second,
		ReadTimeout:                  30 * time.Second,
		MaxHeaderBytes:               64 << 10,
		ErrorLog:                     log.New(io.Discard, "", 0),
	}
	defer server.Close()
	if err := u.printAddress("http://" + host + "/?token=" + token); err != nil {
		listener.Close()
		return err
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ctx.Err()
}

func (u *serving) printAddress(address string) error {
	if u.json {
		return u.printJSON(struct {
			URL string `json:"url"`
		}{address})
	}
	err := u.printf("%s\n", address)
	u.note("open this address in a browser on this machine; Ctrl-C ends it")
	return err
}

// loopback checks an address to serve on. What a page of states says in the clear is
// for this machine alone.
func loopback(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", usagef("--addr %q: want HOST:PORT, as 127.0.0.1:8080", addr)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return "", usagef("--addr %q: want an address of this machine's loopback, as 127.0.0.1; from elsewhere use a tunnel, as ssh -L 8080:127.0.0.1:8080", addr)
	}
	return net.JoinHostPort(host, port), nil
}
