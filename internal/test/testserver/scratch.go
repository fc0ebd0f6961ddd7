package testserver

import (
	"os"
	"path/filepath"
	"sync"
)

// scratch is the folder that holds the folders of all servers of this test
// binary. The lock on it says that the binary is alive: a run that was killed
// could not remove its folder, and the next run does it.
var scratch struct {
	sync.Mutex
	dir  string
	lock *os.File
}

const scratchPattern = "checkpoint-test-"

// newDir makes an empty folder for a server. All users may enter the folder above
// it, because servers that refuse to run as root run as another user.
func newDir(name string) (string, error) {
	scratch.Lock()
	defer scratch.Unlock()
	if scratch.dir == "" {
		removeAbandoned()
		dir, err := os.MkdirTemp("", scratchPattern)
		if err != nil {
			return "", err
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			return "", err
		}
		scratch.dir, scratch.lock = dir, tryLock(filepath.Join(dir, "lock"))
	}
	return os.MkdirTemp(scratch.dir, name+"-")
}

// removeAbandoned removes the folders of test binaries that were killed.
func removeAbandoned() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), scratchPattern+"*"))
	for _, dir := range dirs {
		name := filepath.Join(dir, "lock")
		if _, err := os.Stat(name); err != nil {
			continue // another binary is just making it
		}
		if lock := tryLock(name); lock != nil {
			os.RemoveAll(dir)
			lock.Close()
		}
	}
}

func removeScratch() {
	scratch.Lock()
	defer scratch.Unlock()
	if scratch.dir != "" {
		os.RemoveAll(scratch.dir)
		scratch.lock.Close()
		scratch.dir, scratch.lock = "", nil
	}
}
