// Package cli is the command checkpoint, for programs that build it with other
// drivers in it:
//
//	package main
//
//	import (
//		"github.com/go-ckpt/checkpoint/cli"
//		_ "github.com/go-ckpt/checkpoint/drivers/postgres"
//		_ "example.com/checkpoint-etcd"
//	)
//
//	func main() { cli.Main() }
//
// Every driver that the program imports can be named by a URL, and so can every
// compressor. The package itself links no database's client.
package cli
