package postgres

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/lib/pq"

	"github.com/go-ckpt/checkpoint/driver/dsn"
)

// serverWords are the words that go to lib/pq: libpq's own as far as lib/pq
// knows them, and settings of the session that make sense here. The text says
// what a value must be; it is empty for a word that may hold a secret, whose
// value no error shows.
var serverWords = []struct{ name, want string }{
	{"application_name", "a name for pg_stat_activity"},
	{"connect_timeout", "a number of seconds"},
	{"dbname", "the name of a database"},
	{"fallback_application_name", "a name for pg_stat_activity"},
	{"host", "one or more names, addresses or socket directories, with commas between"},
	{"hostaddr", "one or more IP addresses, with commas between"},
	{"idle_session_timeout", "milliseconds, or a number with a unit"},
	{"krbspn", "a service principal"},
	{"krbsrvname", "a service name"},
	{"load_balance_hosts", "disable or random"},
	{"lock_timeout", "milliseconds, or a number with a unit"},
	{"max_protocol_version", "3.0, 3.2 or latest"},
	{"min_protocol_version", "3.0, 3.2 or latest"},
	{"options", ""},
	{"passfile", ""},
	{"password", ""},
	{"port", "one or more port numbers, with commas between"},
	{"role", "the name of a role"},
	{"search_path", "names of schemas, with commas between"},
	{"ssl_max_protocol_version", "TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3"},
	{"ssl_min_protocol_version", "TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3"},
	{"sslcert", ""},
	{"sslinline", "true or false"},
	{"sslkey", ""},
	{"sslmode", "disable, allow, prefer, require, verify-ca or verify-full"},
	{"sslnegotiation", "postgres or direct"},
	{"sslrootcert", ""},
	{"sslsni", "1 or 0"},
	{"statement_timeout", "milliseconds, or a number with a unit"},
	{"target_session_attrs", "any, read-write, read-only, primary, standby or prefer-standby"},
	{"timezone", "the name of a time zone"},
	{"user", "the name of a role"},
}

// A setting is one word of the connection and its value.
type setting struct{ name, value string }

// serverConfig turns the part of a DSN before the '?' and the words after it
// into lib/pq's configuration. Errors go to words, which refuses what is left.
//
// unverified says that the DSN leaves open who is at the other end of a network.
func serverConfig(base string, words *dsn.Words) (cfg *pq.Config, unverified bool) {
	var settings []setting
	var err error
	if strings.HasPrefix(base, "postgres://") || strings.HasPrefix(base, "postgresql://") {
		settings, err = parseURL(base)
	} else if err = foreignForm(base); err == nil {
		settings, err = parseKeywords(base)
	}
	if err != nil {
		words.Reject(err)
		return nil, false
	}
	for _, word := range serverWords {
		value, ok := words.String(word.name)
		if !ok {
			continue
		}
		if slices.ContainsFunc(settings, func(s setting) bool { return s.name == word.name }) {
			words.Reject(fmt.Errorf("word %q is given twice, before and after the '?'", word.name))
			return nil, false
		}
		settings = append(settings, setting{word.name, value})
	}
	if value, ok := words.String("channel_binding"); ok && value == "require" {
		words.Reject(fmt.Errorf("word %q is %q: lib/pq cannot bind channels; in its place write sslmode=verify-full&sslrootcert=system, which verifies the server's certificate", "channel_binding", "require"))
		return nil, false
	}
	if words.Err() != nil {
		return nil, false
	}
	for _, s := range settings {
		if err := checkSetting(s, words); err != nil {
			words.Reject(err)
			return nil, false
		}
	}
	return connection(settings, words)
}

// connection makes lib/pq's configuration. What lib/pq says of it is kept back,
// because it may show a password.
func connection(settings []setting, words *dsn.Words) (_ *pq.Config, unverified bool) {
	cfg, err := pq.NewConfig(keywords(settings))
	if err != nil {
		if err = environmentError(); err == nil {
			err = errors.New("the settings of the connection do not go together, or a service file has a value that lib/pq does not take; check the numbers of hosts and ports, and sslmode")
		}
		words.Reject(err)
		return nil, false
	}
	// lib/pq's default, require, would refuse a server without TLS, such as a
	// new one in a container; libpq's is prefer. Who gives files for TLS means it.
	if cfg.SSLMode == "" && !slices.ContainsFunc(settings, func(s setting) bool { return strings.HasPrefix(s.name, "ssl") }) {
		cfg.SSLMode = pq.SSLModePrefer
		unverified = !onThisMachine(cfg)
	}
	// A standby would load a checkpoint that is no longer the latest.
	if cfg.TargetSessionAttrs == "" {
		cfg.TargetSessionAttrs = pq.TargetSessionAttrsPrimary
	}
	if cfg.ApplicationName == "" {
		cfg.ApplicationName = "checkpoint"
	}
	// Bytes go as bytes, not as twice as many hexadecimal digits, and a
	// statement that is not prepared takes one round trip.
	cfg.BinaryParameters = true
	if cfg.ConnectTimeout <= 0 { // for each host
		cfg.ConnectTimeout = max(connectPatience/time.Duration(1+len(cfg.Multi)), time.Second)
	}
	return &cfg, unverified
}

// onThisMachine reports whether every host is reached without a network.
func onThisMachine(cfg pq.Config) bool {
	hosts := append([]pq.ConfigMultihost{{Host: cfg.Host, Hostaddr: cfg.Hostaddr}}, cfg.Multi...)
	for _, h := range hosts {
		address := h.Hostaddr // it is what is dialled, where it is given
		if !address.IsValid() {
			address, _ = netip.ParseAddr(h.Host)
		}
		named := h.Host == "localhost" || strings.HasPrefix(h.Host, "/") || strings.HasPrefix(h.Host, "@") // the last two are sockets
		if address.IsValid() && !address.IsLoopback() || !address.IsValid() && !named {
			return false
		}
	}
	return true
}

// checkSetting reports a word whose value lib/pq refuses by itself.
func checkSetting(s setting, words *dsn.Words) error {
	i := slices.IndexFunc(serverWords, func(w struct{ name, want string }) bool { return w.name == s.name })
	if i < 0 {
		return fmt.Errorf("unknown word %q before the '?'; libpq's words here: %s", s.name, strings.Join(serverWordNames(), ", "))
	}
	value := s.value
	if s.name == "host" || s.name == "hostaddr" || s.name == "port" {
		value, _, _ = strings.Cut(value, ",") // their numbers are compared when all are known
	}
	if strings.IndexByte(s.value, 0) < 0 {
		if _, err := pq.NewConfig(keywords([]setting{{s.name, value}})); err == nil {
			return nil
		}
		if _, err := pq.NewConfig(""); err != nil {
			return nil // the environment is at fault, and connection says so
		}
	}
	if s.name == "sslmode" && s.value == "no-verify" {
		return fmt.Errorf("word %q is %q, another client's: write require, which does not verify the server either, or verify-full, which does", s.name, s.value)
	}
	if want := serverWords[i].want; want != "" {
		words.Fail(s.name, s.value, want)
		return words.Err()
	}
	return fmt.Errorf("word %q has a value that lib/pq does not take", s.name)
}

func serverWordNames() []string {
	names := make([]string, len(serverWords))
	for i, w := range serverWords {
		names[i] = w.name
	}
	return names
}

// keywords writes settings in libpq's key=value form.
func keywords(settings []setting) string {
	var b strings.Builder
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	for _, s := range settings {
		fmt.Fprintf(&b, "%s='%s' ", s.name, escape.Replace(s.value))
	}
	return b.String()
}

var errURL = errors.New("want postgres://user:password@host:port/database?word=value; write %40 for '@', %2F for '/', %3A for ':', %3F for '?' and %25 for '%' inside a name or password")

// parseURL reads libpq's URLs: several hosts with commas between, each with its
// port, and a socket's directory as a host with %2F for its slashes. No error
// shows a part of the URL.
func parseURL(base string) ([]setting, error) {
	_, rest, _ := strings.Cut(base, "://")
	authority, database, _ := strings.Cut(rest, "/")
	if strings.ContainsAny(database, "/@") {
		return nil, errURL // what stands after a '/' in a name or password, which had to be escaped
	}
	hosts := authority
	var settings []setting
	add := func(name, escaped string) error {
		value, err := url.PathUnescape(escaped)
		if err != nil {
			return errURL
		}
		if value != "" {
			settings = append(settings, setting{name, value})
		}
		return nil
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, password, _ := strings.Cut(authority[:at], ":")
		hosts = authority[at+1:]
		if err := errors.Join(add("user", user), add("password", password)); err != nil {
			return nil, errURL
		}
	}
	if err := add("dbname", database); err != nil {
		return nil, err
	}
	var names, ports []string
	for host := range strings.SplitSeq(hosts, ",") {
		name, port := host, ""
		if colon := strings.LastIndexByte(host, ':'); colon > strings.LastIndexByte(host, ']') {
			name, port = host[:colon], host[colon+1:]
		}
		if len(port) > 5 || strings.Trim(port, "0123456789") != "" {
			return nil, errURL // user:password without the '@' looks like this, and is not shown
		}
		if strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]") {
			name = name[1 : len(name)-1]
			if net.ParseIP(name) == nil {
				return nil, errURL
			}
		} else if strings.ContainsAny(name, ":[]") {
			return nil, errURL
		}
		name, err := url.PathUnescape(name)
		if err != nil || strings.Contains(name, ",") {
			return nil, errURL
		}
		names, ports = append(names, name), append(ports, port)
	}
	if slices.ContainsFunc(names, func(s string) bool { return s != "" }) {
		for i := range names {
			if names[i] == "" {
				names[i] = "localhost"
			}
		}
		settings = append(settings, setting{"host", strings.Join(names, ",")})
	}
	if slices.ContainsFunc(ports, func(s string) bool { return s != "" }) {
		for i := range ports {
			if ports[i] == "" {
				ports[i] = "5432"
			}
		}
		settings = append(settings, setting{"port", strings.Join(ports, ",")})
	}
	return settings, nil
}

var errKeywords = errors.New(`want postgres://user:password@host:port/database or libpq's host=… dbname=… with single quotes around a value that holds a space, and a backslash before a quote or backslash in it`)

// parseKeywords reads libpq's key=value form, as libpq's own conninfo_parse
// does, and refuses what is given twice. No error shows a value.
func parseKeywords(base string) ([]setting, error) {
	var settings []setting
	for rest := trimSpace(base); rest != ""; rest = trimSpace(rest) {
		name, after, found := strings.Cut(rest, "=")
		name = strings.TrimRightFunc(name, unicode.IsSpace)
		if !found || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
			return nil, errKeywords
		}
		if slices.ContainsFunc(settings, func(s setting) bool { return s.name == name }) {
			return nil, fmt.Errorf("word %q is given twice", name)
		}
		value, tail, ok := cutValue(trimSpace(after))
		if !ok {
			return nil, errKeywords
		}
		// libpq takes "user= password=secret" for a user named password=secret,
		// who then stands in logs.
		if trimmed := trimSpace(after); len(trimmed) < len(after) && !strings.HasPrefix(trimmed, "'") && strings.Contains(value, "=") {
			return nil, fmt.Errorf("word %q has no value before the next word; write %s='' for none, or put the value into quotes", name, name)
		}
		settings = append(settings, setting{name, value})
		rest = tail
	}
	return settings, nil
}

// cutValue cuts a value off: in single quotes or up to a space, where a
// backslash takes the next byte as it is.
func cutValue(s string) (value, rest string, ok bool) {
	quoted := strings.HasPrefix(s, "'")
	if quoted {
		s = s[1:]
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 == len(s):
			return "", "", false
		case c == '\\':
			i++
			b.WriteByte(s[i])
		case quoted && c == '\'':
			return b.String(), s[i+1:], true
		case !quoted && unicode.IsSpace(rune(c)):
			return b.String(), s[i:], true
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "", !quoted
}

func trimSpace(s string) string { return strings.TrimLeftFunc(s, unicode.IsSpace) }
