package testserver

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// RedisOptions configure a Redis server. The zero value is a server that keeps
// every acknowledged write in its append-only file.
type RedisOptions struct {
	Config     []string // further lines of redis.conf, such as "maxmemory 10mb"
	Password   string   // of the default user
	ACL        []string // lines of an ACL file, such as "user app on >secret ~app:* +@all"
	TLS        bool     // TLS only, with a certificate of an authority in the file Dir/ca.pem
	UnixSocket bool     // also listen on the socket Dir/redis.sock
}

// Redis returns the URL of a Redis server that the tests of this binary share.
// It keeps nothing on disk. Tests keep apart by namespace or key prefix.
func Redis(t testing.TB) string {
	t.Helper()
	return share(t, "CHECKPOINT_TEST_REDIS", func(o *owner) (string, error) {
		p, err := startRedis(o, RedisOptions{Config: []string{"appendonly no"}})
		if err != nil {
			return "", err
		}
		return p.URL, nil
	})
}

// StartRedis starts a Redis server of the test's own.
func StartRedis(t testing.TB, options RedisOptions) *Process {
	t.Helper()
	p, err := startRedis(ownedBy(t), options)
	check(t, err)
	return p
}

func startRedis(o *owner, options RedisOptions) (*Process, error) {
	path, err := findRedis()
	if err != nil {
		return nil, err
	}
	return launch(o, "redis", func(p *Process, port int) (command, error) {
		address := url.URL{Scheme: "redis", Host: p.Addr, Path: "/0"}
		lines := redisLines(p.Dir, port)
		if options.Password != "" {
			address.User = url.UserPassword("", options.Password)
			lines = append(lines, "requirepass "+strconv.Quote(options.Password))
		}
		if options.UnixSocket {
			lines = append(lines, "unixsocket "+filepath.Join(p.Dir, "redis.sock"))
		}
		if options.ACL != nil {
			file := filepath.Join(p.Dir, "users.acl")
			if err := os.WriteFile(file, []byte(strings.Join(options.ACL, "\n")+"\n"), 0o600); err != nil {
				return command{}, err
			}
			lines = append(lines, "aclfile "+file)
		}
		if options.TLS {
			address.Scheme = "rediss"
			cert, err := writeCertificates(p.Dir)
			if err != nil {
				return command{}, err
			}
			lines = append(lines, "port 0", fmt.Sprintf("tls-port %d", port), "tls-auth-clients no",
				"tls-cert-file "+cert.server, "tls-key-file "+cert.key, "tls-ca-cert-file "+cert.authority)
		}
		p.URL = address.String()
		return redisCommand(p.Dir, path, append(lines, options.Config...))
	})
}

func findRedis() (string, error) {
	return find("Debian: redis-server, macOS: brew install redis", []string{"redis-server", "valkey-server"})
}

// redisLines are what every Redis server here is configured with. Later lines
// win over earlier ones.
func redisLines(dir string, port int) []string {
	return []string{
		fmt.Sprintf("port %d", port),
		"bind 127.0.0.1",
		"dir " + dir,
		"daemonize no",
		`save ""`,
		"appendonly yes",
		"appendfsync always",
	}
}

// redisCommand writes redis.conf and describes how the server is run.
func redisCommand(dir, path string, lines []string) (command, error) {
	conf := filepath.Join(dir, "redis.conf")
	err := os.WriteFile(conf, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
	return command{
		path:    path,
		args:    []string{conf},
		ready:   logged("Ready to accept connections"),
		stop:    sigTerm,
		abandon: sigKill,
	}, err
}

func appendLine(file, line string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}
