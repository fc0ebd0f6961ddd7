package testserver

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// StartPostgresReplica starts a hot standby of a server made by
// [StartPostgres]: it follows the primary and refuses to write, until
// [PromotePostgres].
func StartPostgresReplica(t testing.TB, primary *Process) *Process {
	t.Helper()
	program, err := findPostgres("pg_basebackup")
	check(t, err)
	p, err := launch(ownedBy(t), "postgres-replica", func(p *Process, port int) (command, error) {
		data := filepath.Join(p.Dir, "data")
		if _, err := output(p.Dir, true, program, "-w", "-d", primary.URL, "-D", data,
			"--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "--no-sync"); err != nil {
			return command{}, err
		}
		p.URL = postgresURL(p.Addr).String()
		return postgresCommand(data, port), os.Chmod(data, 0o700)
	})
	check(t, err)
	return p
}

// PromotePostgres makes a replica a primary of its own, and returns when it
// accepts writes.
func PromotePostgres(t testing.TB, replica *Process) {
	t.Helper()
	if err := psql(replica.URL, "SELECT pg_promote(true, 60)"); err != nil {
		t.Fatal(err)
	}
}

// AwaitPostgresReplica returns when the replica has replayed what the primary
// has committed so far.
func AwaitPostgresReplica(t testing.TB, primary, replica *Process) {
	t.Helper()
	position, err := selectText(primary.URL, "SELECT pg_current_wal_flush_lsn()")
	for deadline := time.Now().Add(startTime); err == nil; time.Sleep(pollTime) {
		var reached string
		reached, err = selectText(replica.URL, "SELECT pg_last_wal_replay_lsn() >= '"+position+"'")
		if reached == "t" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the replica has not replayed %s after %v; its log:\n%s", position, startTime, tail(replica.Log()))
		}
	}
	t.Fatal(err)
}
