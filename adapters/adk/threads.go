package adk

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
)

// threadName joins the parts of a name so that no two lists of parts share one.
func threadName(parts ...string) string {
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}

// lastPart returns the last part of a name that threadName made.
func lastPart(thread string) (string, error) {
	part, err := url.PathUnescape(thread[strings.LastIndexByte(thread, '/')+1:])
	if err != nil {
		return "", fmt.Errorf("adk: the thread %q was not made by this package", thread)
	}
	return part, nil
}

// saveID turns the id of an event into one that a save can have: itself, where it
// can.
func saveID(id string) string {
	plain := id != "" && len(id) <= 60 && strings.IndexFunc(id, func(r rune) bool {
		return !('A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune("._~-", r))
	}) < 0
	if plain {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:]) // 64 characters, which no plain one has
}
