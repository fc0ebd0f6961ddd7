// Picture runs a command on a terminal and writes what it printed as an SVG:
//
//	go run ./internal/cli/picture [-columns 92] [-until TEXT] FILE COMMAND...
//
// The picture ends before the first line that begins with TEXT. "make picture"
// writes docs/demo.svg with it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"

	"github.com/creack/pty"
)

func main() {
	log.SetFlags(0)
	columns := flag.Uint("columns", 92, "width of the terminal")
	until := flag.String("until", "", "end before the first line that begins with this `TEXT`")
	flag.Parse()
	if flag.NArg() < 2 || *columns < 20 || *columns > 500 {
		log.Fatal("usage: picture [-columns N] [-until TEXT] FILE COMMAND...")
	}
	output, err := record(uint16(*columns), flag.Args()[1:])
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(flag.Arg(0), render(output, int(*columns), *until), 0o644); err != nil {
		log.Fatal(err)
	}
}

// record runs a command on a terminal and returns what it printed.
func record(columns uint16, command []string) ([]byte, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "NO_COLOR=", "PAGER=cat")
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: columns, Rows: 50})
	if err != nil {
		return nil, err
	}
	defer terminal.Close()
	output, _ := io.ReadAll(terminal) // ends with an error when the command closes its side
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("%v: %w", command, err)
	}
	if len(output) == 0 {
		return nil, errors.New("the command printed nothing")
	}
	return output, nil
}
