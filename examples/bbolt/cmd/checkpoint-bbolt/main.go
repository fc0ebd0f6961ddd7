// Command checkpoint-bbolt is the command checkpoint with the bbolt driver in it:
//
//	checkpoint-bbolt --store bbolt:agents.bolt save user-123 <state.json
//	checkpoint-bbolt --store bbolt:agents.bolt verify
package main

import (
	_ "example.com/checkpoint-bbolt"

	"github.com/go-ckpt/checkpoint/cli"
)

func main() { cli.Main() }
