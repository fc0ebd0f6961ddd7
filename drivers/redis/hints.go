package redis

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/driver/dsn"
)

// foreignWords are words that other clients' URLs have, and what to write instead.
var foreignWords = map[string]string{
	"ssl_cert_reqs":    "for ssl_cert_reqs=none write skip_verify=true, and leave it out otherwise",
	"ssl":              "TLS is the scheme rediss",
	"tls":              "TLS is the scheme rediss",
	"ssl_ca_certs":     "certificates are looked up where the system keeps them, or in the file that SSL_CERT_FILE names",
	"insecure":         "write skip_verify=true",
	"decode_responses": "leave it out",
	"socket_timeout":   "write read_timeout",
	"timeout":          "write read_timeout",
	"max_connections":  "write pool_size",
	"sentinelMasterId": "write master_name",
	"database":         "write db",
	"auth":             "the password stands before the host: rediss://:PASSWORD@HOST",
	"allkeys":          "leave it out",
	"family":           "leave it out",
}

// foreignForm says what to write instead of what other clients and vendors write.
// It shows no part of the DSN.
func foreignForm(source string) error {
	bad := func(text string) error { return fmt.Errorf("%w DSN: %s", driver.ErrInvalid, text) }
	if err := dsn.CheckForm(source); err != nil {
		return err
	}
	if strings.HasPrefix(source, "redis-cli ") {
		return bad("write the URL alone, without redis-cli and its options")
	}
	base, _ := dsn.Split(source)
	if !strings.Contains(base, "://") && !slices.Contains(schemes, strings.SplitN(base, ":", 2)[0]) {
		if strings.Contains(base, ",") && strings.Contains(base, "=") {
			return bad("this is the form of StackExchange.Redis: write redis://:PASSWORD@HOST:PORT, with ssl=True rediss://:PASSWORD@HOST:PORT")
		}
		return bad("a scheme is missing: write redis://HOST:PORT, or rediss://HOST:PORT for TLS")
	}
	if strings.HasSuffix(source, "#insecure") {
		return bad("write ?skip_verify=true instead of #insecure")
	}
	return nil
}
