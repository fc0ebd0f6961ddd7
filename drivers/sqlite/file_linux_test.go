package sqlite_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

var _ = addChild("mounted", mountedChild)

// TestMountedFile mounts a database as a single file, as a container does with
// -v ./agents.db:/app/agents.db, and then its folder.
func TestMountedFile(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("mounting needs root")
	}
	dir := t.TempDir()
	b := open(t, filepath.Join(dir, "agents.db"))
	save(t, b, request("t", "1"))
	c, err := tryStart(t, "mounted", &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}, dir, t.TempDir())
	if err != nil {
		t.Skipf("this system lets nobody mount: %v", err)
	}
	got := strings.Join(c.rest(t), "\n")
	if strings.HasPrefix(got, "mount:") {
		t.Skipf("this system lets nobody mount: %s", got)
	}
	if want := "file: invalid database: FILE is mounted as a single file, and its write-ahead log would not be shared with those outside, which destroys the database: mount the folder, not the file, or set allow_links=true if every process uses the same name\nfolder: version 2"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func mountedChild(args []string) {
	source, target := args[0], args[1]
	file, folder := filepath.Join(target, "agents.db"), filepath.Join(target, "folder")
	must(os.WriteFile(file, nil, 0o600))
	must(os.Mkdir(folder, 0o700))
	err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	if err == nil {
		err = syscall.Mount(filepath.Join(source, "agents.db"), file, "", syscall.MS_BIND, "")
	}
	if err == nil {
		err = syscall.Mount(source, folder, "", syscall.MS_BIND, "")
	}
	if err != nil {
		say("mount: %v", err)
		return
	}
	b := childOpen(file)
	_, err = b.Save(context.Background(), request("t", "2"))
	say("file: %s", strings.ReplaceAll(err.Error(), file, "FILE"))
	must(b.Close())
	b = childOpen(filepath.Join(folder, "agents.db"))
	info, err := b.Save(context.Background(), request("t", "2"))
	must(err)
	say("folder: version %d", info.Version)
	must(b.Close())
}
