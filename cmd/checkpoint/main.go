// Checkpoint looks into stores of agent state, puts old states back, and moves
// stores between databases. "checkpoint demo" shows what the library does, and
// "checkpoint --help" lists the commands.
//
// Package cli is the command itself, for a program that has another driver in it.
package main

import (
	"github.com/go-ckpt/checkpoint/cli"
	_ "github.com/go-ckpt/checkpoint/internal/cli/builtin"
)

func main() { cli.Main() }
