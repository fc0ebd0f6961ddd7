package bbolt

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/go-ckpt/checkpoint/driver"
)

// patience is how long an operation waits for another process's lock on the file.
const patience = 5 * time.Second

// A file is a database that the handles of a process share. It is open from its
// first operation until the last handle is closed and the last operation over.
type file struct {
	path    string
	sync    bool
	handles int            // under the Driver's lock
	running sync.WaitGroup // operations
	writing chan struct{}  // holds the one who writes
	opening chan struct{}  // holds the one who opens
	db      *bolt.DB       // nil before
}

// share returns the file of that path for one more handle.
func (d *Driver) share(path string, sync bool) *file {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[path]
	if f == nil {
		f = &file{path: path, sync: sync, writing: make(chan struct{}, 1), opening: make(chan struct{}, 1)}
		if d.files == nil {
			d.files = make(map[string]*file)
		}
		d.files[path] = f
	}
	f.handles++
	return f
}

// leave takes a handle away. It waits for nothing: the operations under way go on,
// and a handle that comes meanwhile waits for bbolt's lock as another process would.
func (d *Driver) leave(f *file) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f.handles--; f.handles > 0 {
		return
	}
	delete(d.files, f.path)
	go func() {
		f.running.Wait()
		if f.db != nil {
			f.db.Close() // what was written is in the file already
		}
	}()
}

// open opens the database where it is not open.
func (f *file) open(ctx context.Context) error {
	select {
	case f.opening <- struct{}{}:
		defer func() { <-f.opening }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for began := time.Now(); f.db == nil; {
		// Not for long at a time, so that a context that ends is noticed.
		db, err := bolt.Open(f.path, 0o600, &bolt.Options{Timeout: 100 * time.Millisecond, NoSync: !f.sync, FreelistType: bolt.FreelistMapType})
		switch {
		case err == nil:
			if err := db.Update(createBuckets); err != nil {
				db.Close()
				return classified(err)
			}
			f.db = db
		case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
			return fmt.Errorf("%w: %s is no bbolt file: %w", driver.ErrCorrupt, f.path, err)
		case !errors.Is(err, bolterrors.ErrTimeout):
			return classified(err)
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Since(began) > patience:
			return fmt.Errorf("%w: another process has %s open", driver.ErrUnavailable, f.path)
		}
	}
	return nil
}

// classified gives an error of bbolt or of the file system a class of package
// driver. Those that have one stay as they are.
func classified(err error) error {
	for _, own := range []error{
		nil, context.Canceled, context.DeadlineExceeded, driver.ErrClosed,
		driver.ErrNotFound, driver.ErrConflict, driver.ErrBase, driver.ErrInvalid, driver.ErrCorrupt,
	} {
		if errors.Is(err, own) {
			return err
		}
	}
	if errors.Is(err, bolterrors.ErrValueTooLarge) {
		return fmt.Errorf("%w: %w", driver.ErrTooLarge, err)
	}
	return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
}
