// Package names holds the rules for the strings that name things in a store:
// threads, namespaces and metadata.
package names

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-ckpt/checkpoint/driver"
)

// The limits of names, in bytes.
const (
	MaxThread          = 512
	MaxNamespace       = 128
	MaxMetadataEntries = 64
	MaxMetadataBytes   = 4096 // keys and values together
)

// CheckThread returns an error that matches driver.ErrInvalid if s cannot name
// a thread.
func CheckThread(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%w thread name: it is empty", driver.ErrInvalid)
	case len(s) > MaxThread:
		return fmt.Errorf("%w thread name: it has %d bytes, at most %d are allowed", driver.ErrInvalid, len(s), MaxThread)
	}
	return checkText("thread name", s)
}

// CheckNamespace returns an error that matches driver.ErrInvalid if s cannot
// name a namespace.
func CheckNamespace(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%w namespace: it is empty", driver.ErrInvalid)
	case len(s) > MaxNamespace:
		return fmt.Errorf("%w namespace: it has %d bytes, at most %d are allowed", driver.ErrInvalid, len(s), MaxNamespace)
	}
	for i := range len(s) {
		c := s[i]
		if !('A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-') {
			return fmt.Errorf("%w namespace %q: only A-Z a-z 0-9 . _ - are allowed", driver.ErrInvalid, s)
		}
	}
	return nil
}

// CheckMetadata returns an error that matches driver.ErrInvalid if m cannot be
// the metadata of a checkpoint.
func CheckMetadata(m map[string]string) error {
	if len(m) > MaxMetadataEntries {
		return fmt.Errorf("%w metadata: it has %d entries, at most %d are allowed", driver.ErrInvalid, len(m), MaxMetadataEntries)
	}
	size := 0
	for k, v := range m {
		size += len(k) + len(v)
		if k == "" {
			return fmt.Errorf("%w metadata: a key is empty", driver.ErrInvalid)
		}
		if err := checkText("metadata key", k); err != nil {
			return err
		}
		if err := checkText("metadata value", v); err != nil {
			return err
		}
	}
	if size > MaxMetadataBytes {
		return fmt.Errorf("%w metadata: keys and values have %d bytes, at most %d are allowed", driver.ErrInvalid, size, MaxMetadataBytes)
	}
	return nil
}

func checkText(what, s string) error {
	if strings.IndexByte(s, 0) >= 0 {
		return fmt.Errorf("%w %s: it contains a NUL byte", driver.ErrInvalid, what)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%w %s: it is not valid UTF-8", driver.ErrInvalid, what)
	}
	return nil
}
