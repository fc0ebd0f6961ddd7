// Command certify is what scripts/certify.sh needs besides the servers and the command
// checkpoint: a free port, a small program that uses a store as applications do, and
// the page docs/certified.md, which it makes of the results or compares with them.
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
       certify program URL              use a store; a line of JSON for each step, as checkpoint verify --json
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
