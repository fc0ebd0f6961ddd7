package checkpointtest_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// inMemory is what is certified in the examples.
var inMemory memory.Driver

// deployment opens it: whenever it is called, a new handle on the same data.
func deployment() (driver.Backend, error) { return inMemory.Open("memory:deployment") }

// under accepts the cases of a group.
func under(group string) checkpointtest.Option {
	return checkpointtest.Cases(func(name string) bool { return strings.HasPrefix(name, group) })
}

// A program certifies a deployment, without package testing.
func ExampleVerify() {
	report := checkpointtest.Verify(context.Background(), deployment, under("Raw/Purge/"))
	fmt.Println(report.OK(), len(report.Results) > 0)
	// Output: true true
}

// The cases of one group, as with go test -run.
func ExampleCases() {
	report := checkpointtest.Verify(context.Background(), deployment,
		checkpointtest.Cases(func(name string) bool { return name == "Raw/Save/VersionsCount" }))
	for _, r := range report.Results {
		fmt.Println(r.Case, r.Outcome)
	}
	// Output: Raw/Save/VersionsCount passed
}

// An optional interface that is missing fails, instead of being passed over.
func ExampleRequire() {
	report := checkpointtest.Verify(context.Background(), deployment, under("Raw/Purge/"), checkpointtest.Require("Purger"))
	fmt.Println(report.OK())
	// Output: true
}

func ExampleRequireAll() {
	report := checkpointtest.Verify(context.Background(), deployment, under("Raw/Purge/"), checkpointtest.RequireAll())
	fmt.Println(report.OK())
	// Output: true
}

// A deployment whose stores encrypt what they save.
func ExampleOptions() {
	keyring, _ := checkpoint.NewKeyring([]byte("thirty-two bytes from your vault"))
	report := checkpointtest.Verify(context.Background(), deployment, under("Store/Save"),
		checkpointtest.Options(checkpoint.WithEncryption(keyring)))
	fmt.Println(report.OK())
	// Output: true
}

func ExampleTimeout() {
	report := checkpointtest.Verify(context.Background(), deployment, under("Raw/Purge/"), checkpointtest.Timeout(10*time.Minute))
	fmt.Println(report.OK())
	// Output: true
}

// A database whose index shows a thread a moment after its save.
func ExampleListLag() {
	report := checkpointtest.Verify(context.Background(), deployment, under("Raw/Purge/"), checkpointtest.ListLag(time.Millisecond))
	fmt.Println(report.OK())
	// Output: true
}

func ExampleProgress() {
	checkpointtest.Verify(context.Background(), deployment,
		checkpointtest.Cases(func(name string) bool { return name == "Raw/Save/VersionsCount" }),
		checkpointtest.Progress(func(r checkpointtest.Result, done, total int) { fmt.Println(done, "of", total, r.Case, r.Outcome) }))
	// Output: 1 of 1 Raw/Save/VersionsCount passed
}
