package testserver

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func mustAsk(t *testing.T, want, addr string, command ...string) {
	t.Helper()
	got, err := askRedisText(addr, command...)
	if err != nil || got != want {
		t.Fatalf("%s: got %q, %v, want %q", strings.Join(command, " "), got, err, want)
	}
}

func TestSharedRedis(t *testing.T) {
	t.Parallel()
	address, err := url.Parse(Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	mustAsk(t, "PONG", address.Host, "PING")
	if again := Redis(t); again != address.String() {
		t.Errorf("got %s, want the same server as before, %s", again, address)
	}
}

func TestRedisKeepsItsData(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		end  func(*Process)
	}{
		{"kill", (*Process).Kill},
		{"stop", (*Process).Stop},
		{"none", func(*Process) {}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := StartRedis(t, RedisOptions{})
			mustAsk(t, "OK", p.Addr, "SET", "k", "v")
			test.end(p)
			if test.name != "none" && !refused(p.Addr) {
				t.Error("the server still listens")
			}
			p.Restart()
			mustAsk(t, "v", p.Addr, "GET", "k")
		})
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	p := StartRedis(t, RedisOptions{})
	p.Pause()
	c, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte("PING\r\n"))
	c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := c.Read(make([]byte, 10)); !os.IsTimeout(err) {
		t.Errorf("a paused server: got %d bytes, %v, want nothing", n, err)
	}
	p.Resume()
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if n, err := c.Read(make([]byte, 10)); n != len("+PONG\r\n") || err != nil {
		t.Errorf("a resumed server: got %d bytes, %v", n, err)
	}
}

func TestPausedServerCanBeStopped(t *testing.T) {
	t.Parallel()
	p := StartRedis(t, RedisOptions{})
	p.Pause()
	p.Stop()
	if !refused(p.Addr) {
		t.Error("the server still listens")
	}
}

func TestRedisOptions(t *testing.T) {
	t.Parallel()
	p := StartRedis(t, RedisOptions{
		Config:     []string{"maxmemory 10mb", "maxmemory-policy noeviction"},
		ACL:        []string{"user default off", "user app on >secret ~* &* +@all"},
		TLS:        true,
		UnixSocket: true,
	})
	if want := "rediss://" + p.Addr + "/0"; p.URL != want {
		t.Errorf("URL: got %s, want %s", p.URL, want)
	}
	authority, err := os.ReadFile(filepath.Join(p.Dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	overTLS, err := tls.Dial("tcp", p.Addr, &tls.Config{RootCAs: trusted})
	if err != nil {
		t.Fatal(err)
	}
	overUnix, err := net.Dial("unix", filepath.Join(p.Dir, "redis.sock"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{overTLS, overUnix} {
		defer c.Close()
		c.SetDeadline(time.Now().Add(30 * time.Second))
		c.Write([]byte("AUTH app secret\r\nCONFIG GET maxmemory\r\n"))
		want := "+OK\r\n*2\r\n$9\r\nmaxmemory\r\n$8\r\n10485760\r\n"
		got := make([]byte, len(want))
		for n := 0; n < len(got); {
			more, err := c.Read(got[n:])
			if err != nil {
				t.Fatal(err)
			}
			n += more
		}
		if string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestRedisPassword(t *testing.T) {
	t.Parallel()
	p := StartRedis(t, RedisOptions{Password: "se cret"})
	address, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := address.User.Password(); got != "se cret" {
		t.Errorf("password in the URL: got %q", got)
	}
	if _, err := askRedis(p.Addr, "PING"); err == nil {
		t.Error("the server asks for no password")
	}
	mustAsk(t, "OK", p.Addr, "AUTH", "se cret")
}
