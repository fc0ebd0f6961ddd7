package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// listFiles writes the names of the folder's files to files.txt, hidden ones left
// out.
func listFiles(ctx context.Context, state *State) error {
	var names strings.Builder
	count := 0
	err := fs.WalkDir(os.DirFS(state.Folder), ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != "." && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case entry.Type().IsRegular():
			fmt.Fprintln(&names, path)
			count++
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	state.Files["files.txt"] = names.String()
	state.Notes = append(state.Notes, fmt.Sprintf("%d files", count))
	return nil
}

// measure writes the sizes of the files in files.txt to sizes.txt.
func measure(ctx context.Context, state *State) error {
	var sizes strings.Builder
	var sum int64
	for line := range strings.Lines(state.Files["files.txt"]) {
		name := strings.TrimSuffix(line, "\n")
		info, err := os.Stat(filepath.Join(state.Folder, name))
		if err != nil {
			continue // it has gone since
		}
		fmt.Fprintf(&sizes, "%d %s\n", info.Size(), name)
		sum += info.Size()
	}
	state.Files["sizes.txt"] = sizes.String()
	state.Notes = append(state.Notes, fmt.Sprintf("%d bytes in all", sum))
	return ctx.Err()
}

// findLargest notes the largest of the files in sizes.txt.
func findLargest(_ context.Context, state *State) error {
	var largest int64
	var name string
	for line := range strings.Lines(state.Files["sizes.txt"]) {
		number, path, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if size, err := strconv.ParseInt(number, 10, 64); err == nil && size >= largest {
			largest, name = size, path
		}
	}
	if name != "" {
		state.Notes = append(state.Notes, fmt.Sprintf("the largest is %s with %d bytes", name, largest))
	}
	return nil
}

// writeReport makes report.md of the notes.
func writeReport(_ context.Context, state *State) error {
	state.Files["report.md"] = fmt.Sprintf("# %s\n\n- %s\n", state.Folder, strings.Join(state.Notes, "\n- "))
	return nil
}
