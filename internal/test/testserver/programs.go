package testserver

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// A notInstalledError says that a program is not on this machine.
type notInstalledError struct{ program, packages string }

func (e *notInstalledError) Error() string {
	return fmt.Sprintf("%s is not installed: %s (%s)", e.program, install, e.packages)
}

// find returns the path of the first of the programs that is installed, in PATH
// or in the folders that match the patterns (the last one first, so that the
// newest of several versions is found).
func find(packages string, programs []string, patterns ...string) (string, error) {
	for _, program := range programs {
		if path, err := exec.LookPath(program); err == nil {
			return path, nil
		}
		for _, pattern := range append(patterns, "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/homebrew/bin") {
			paths, _ := filepath.Glob(filepath.Join(pattern, program))
			if len(paths) > 0 {
				return newest(paths), nil
			}
		}
	}
	return "", &notInstalledError{programs[0], packages}
}

// Version returns what is started for a driver, such as "PostgreSQL 15.18", and ""
// for a driver without a server whose version its program tells.
func Version(driver string) string {
	var program string
	var err error
	switch driver {
	case "postgres":
		program, err = findPostgres("postgres")
	case "redis":
		program, err = findRedis()
	default:
		return ""
	}
	if err != nil {
		return ""
	}
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		return ""
	}
	name := "PostgreSQL"
	if driver == "redis" {
		name, _, _ = strings.Cut(string(out), " ")
	}
	return name + " " + regexp.MustCompile(`\d[\d.]*`).FindString(string(out))
}

// newest returns the path with the highest version number: the longest, and of
// those the last.
func newest(paths []string) string {
	best := ""
	for _, path := range paths {
		if len(path) > len(best) || len(path) == len(best) && path > best {
			best = path
		}
	}
	return best
}

// output runs a program to its end.
func output(dir string, unprivileged bool, program string, args ...string) ([]byte, error) {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.SysProcAttr = attributes()
	if unprivileged {
		if err := dropRoot(cmd, dir); err != nil {
			return nil, err
		}
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	runtime.LockOSThread() // see start
	defer runtime.UnlockOSThread()
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(program), err, tail(errs.String()+out.String()))
	}
	return out.Bytes(), nil
}
