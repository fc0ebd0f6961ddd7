// Command certify is what scripts/certify.sh needs besides the servers: a free port, the
// conformance suite and a small program that uses a store as applications do, and the
// page docs/certified.md, which it makes of the results or compares with them.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/go-ckpt/checkpoint/internal/test/testserver/freeport"
)

const usage = `usage: certify port                     a free port of 127.0.0.1
       certify ping URL                 wait until a store answers, a minute at most
       certify suite LIMIT URL          run the conformance suite for LIMIT, as in 10m, at most; a line of JSON for each case
       certify short|shortest LIMIT URL the same with some of the cases
       certify program URL              use a store; a line of JSON for each step
       certify write PAGE RESULTS       put the results into the page
       certify check PAGE RESULTS       compare them with the page
`

func main() {
	var ok bool
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 1 && args[0] == "port":
		var port int
		if port, err = freeport.Get(); err == nil {
			_, err = fmt.Println(port)
		}
		ok = true
	case len(args) == 2 && args[0] == "ping":
		ok, err = true, answers(args[1])
	case len(args) == 3 && forms[args[0]] != nil:
		var limit time.Duration
		if limit, err = time.ParseDuration(args[1]); err == nil {
			ok, err = true, suite(args[2], limit, forms[args[0]])
		}
	case len(args) == 2 && args[0] == "program":
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // emulators are slow
		defer cancel()
		ok, err = use(ctx, args[1], json.NewEncoder(os.Stdout))
	case len(args) == 3 && args[0] == "write":
		ok, err = write(args[1], args[2])
	case len(args) == 3 && args[0] == "check":
		ok, err = compare(args[1], args[2])
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "certify:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}
