package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// SQLite keeps two files beside a database, named after it, by which readers and
// writers agree. So a database needs one file with one name: under a second name it
// would have a second log, and each side would overwrite what the other has saved
// (https://www.sqlite.org/howtocorrupt.html, sections 2.3 to 2.5).

// resolve follows symbolic links to the name beside which SQLite keeps its files,
// also where the last link leads to a file that is not there yet.
func resolve(path string) (string, error) {
	for range 40 { // as many as Linux follows
		real, err := filepath.EvalSymlinks(path)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return real, err
		}
		target, err := os.Readlink(path)
		if err != nil { // there is no file, and no link of that name
			folder, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				return path, nil // SQLite cannot make it, and whyNotOpened says why
			}
			return filepath.Join(folder, filepath.Base(path)), nil
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return path, nil
}

// checkNames refuses a file that has other names than path: further hard links, or
// one outside a container into which the file alone is mounted.
func checkNames(path string) error {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil // SQLite makes it, or fails
	}
	const end = ", or set allow_links=true if every process uses the same name"
	switch {
	case hardLinks(info) > 1:
		return fmt.Errorf("%w database: %s has %d names (hard links), and each would have a write-ahead log of its own, which destroys the database: remove the others%s",
			driver.ErrInvalid, path, hardLinks(info), end)
	case mountedAlone(path):
		return fmt.Errorf("%w database: %s is mounted as a single file, and its write-ahead log would not be shared with those outside, which destroys the database: mount the folder, not the file%s",
			driver.ErrInvalid, path, end)
	}
	return nil
}

// A dataFile is a file as it was when it was opened.
type dataFile struct {
	path   string
	info   os.FileInfo
	opened time.Time
	seen   atomic.Int64 // when check last found it, after opened; 0 if it did not
}

func newDataFile(path string) (*dataFile, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	}
	return &dataFile{path: path, info: info, opened: time.Now()}, nil
}

// recently is how old a look at the file may be for a load, where it would take a sixth
// of the time. A file that is exchanged during a load is not noticed either.
const recently = time.Millisecond

// checkRead is check for what loses nothing.
func (f *dataFile) checkRead() error {
	if f == nil {
		return nil
	}
	if seen := time.Duration(f.seen.Load()); seen > 0 && time.Since(f.opened)-seen < recently {
		return nil
	}
	return f.check()
}

// check returns an error if another file, or none, has the name: what is written to
// this one would be lost with the last process that has it open. f may be nil.
func (f *dataFile) check() error {
	if f == nil {
		return nil
	}
	now := int64(time.Since(f.opened))
	info, err := os.Stat(f.path)
	if err != nil || !os.SameFile(info, f.info) {
		now = 0
	}
	f.seen.Store(now)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s was removed while it was open: put it back, or open the store again to begin with a new file", driver.ErrUnavailable, f.path)
	case err != nil:
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	case !os.SameFile(info, f.info):
		return fmt.Errorf("%w: %s was replaced by another file while it was open: open the store again to use that one", driver.ErrUnavailable, f.path)
	}
	return nil
}

// opened counts this package's handles on each file. It belongs to the process, as
// locks of files do.
var opened = openedFiles{handles: make(map[string]int)}

type openedFiles struct {
	mu      sync.Mutex
	handles map[string]int // by the resolved path
}

func (o *openedFiles) has(path string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.handles[path] > 0
}

func (o *openedFiles) add(path string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.handles[path]++
}

func (o *openedFiles) remove(path string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.handles[path]--; o.handles[path] == 0 {
		delete(o.handles, path)
	}
}
