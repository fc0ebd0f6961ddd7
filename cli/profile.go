package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver/dsn"
	"github.com/spf13/cobra"
)

// The environment of profiles.
const (
	envProfile  = "CHECKPOINT_PROFILE"
	envProfiles = "CHECKPOINT_PROFILES"
)

const profilesLong = `A profile gives a store a name: checkpoint --profile prod list. Profiles stand in
the file of CHECKPOINT_PROFILES, or checkpoint/profiles.json in the folder for
settings (on Linux ~/.config):

  {
    "prod": {
      "store": "postgres://agents@db.example/agents?sslmode=verify-full",
      "namespace": "support",
      "password_command": ["pass", "show", "db/agents"],
      "keys_command": ["op", "read", "op://team/checkpoint/keys"]
    },
    "staging": {"store": "redis://localhost:6379/0"}
  }

There is no password in it, and one that stands in a URL is refused: a command
prints it, and it becomes the password of the URL's user. keys_command prints what
CHECKPOINT_KEYS would hold. The commands are run without a shell, and the file must
not be writable by others. CHECKPOINT_PROFILE is the profile that is used where
neither --profile nor --store is given.`

// newProfiles returns a topic of "checkpoint help".
func newProfiles() *cobra.Command {
	return &cobra.Command{Use: "profiles", Short: "How stores are given names", Long: profilesLong}
}

// A profile names a store. It holds no secret, only commands that print one.
type profile struct {
	Store           string   `json:"store"`
	Namespace       string   `json:"namespace,omitempty"`
	PasswordCommand []string `json:"password_command,omitempty"`
	KeysCommand     []string `json:"keys_command,omitempty"`
}

// secretTimeout is how long a command may take to print a secret: a person may
// have to unlock it.
const secretTimeout = 2 * time.Minute

// useProfile reads the profile that --profile or the environment name, as far as
// no flag says otherwise.
func (a *app) useProfile(ctx context.Context, command string) error {
	name := firstOf(a.profile, os.Getenv(envProfile))
	if name == "" || slices.Contains([]string{"help", "version", "drivers", "demo", "completion"}, command) {
		return nil
	}
	if a.profile != "" && a.store != "" {
		return usagef("--profile and --store do not go together: both name the store")
	}
	if a.store != "" {
		return nil
	}
	file, err := profilesFile()
	if err != nil {
		return err
	}
	p, err := readProfile(file, name)
	if err != nil {
		return err
	}
	a.store = p.Store
	if len(p.PasswordCommand) > 0 {
		password, err := secret(ctx, p.PasswordCommand)
		if err != nil {
			return fmt.Errorf("the password_command of the profile %q: %w", name, err)
		}
		a.store = withPassword(p.Store, password)
	}
	if a.namespace == "" {
		a.namespace = p.Namespace
	}
	if len(p.KeysCommand) > 0 && os.Getenv(envKeys) == "" {
		if a.keys, err = secret(ctx, p.KeysCommand); err != nil {
			return fmt.Errorf("the keys_command of the profile %q: %w", name, err)
		}
	}
	return nil
}

// profilesFile returns the name of the file of profiles.
func profilesFile() (string, error) {
	if file := os.Getenv(envProfiles); file != "" {
		return file, nil
	}
	folder, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("there is no folder for settings; name the file of profiles in %s (%w)", envProfiles, err)
	}
	return filepath.Join(folder, "checkpoint", "profiles.json"), nil
}

// readProfile reads one profile of a file.
func readProfile(file, name string) (profile, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return profile{}, usagef("there are no profiles: the file %q does not exist (try checkpoint help profiles)", file)
	}
	if err != nil {
		return profile{}, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return profile{}, usagef("the file %q has commands in it, and others can write to it: chmod go-w %s", file, file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return profile{}, err
	}
	var profiles map[string]profile
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&profiles); err != nil {
		return profile{}, usagef("the file %q is not of the form that checkpoint help profiles shows", file)
	}
	p, ok := profiles[name]
	if !ok {
		return p, usagef("there is no profile %q in %q; there is %s", name, file, firstOf(strings.Join(slices.Sorted(maps.Keys(profiles)), ", "), "none"))
	}
	switch {
	case p.Store == "":
		return p, usagef("the profile %q in %q names no store", name, file)
	case hasPassword(p.Store):
		return p, usagef("the profile %q in %q has a password in it: take it out, and name a password_command that prints it", name, file)
	}
	return p, nil
}

// userinfo splits a URL around its user and password: "scheme://", "user:password",
// "@host…". The last two are empty where it has none.
func userinfo(store string) (before, user, after string) {
	i := strings.Index(store, "://")
	if i < 0 {
		return store, "", ""
	}
	before, rest := store[:i+3], store[i+3:]
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if at := strings.LastIndexByte(rest[:end], '@'); at >= 0 {
		return before, rest[:at], rest[at:]
	}
	return before, "", "@" + rest
}

// hasPassword reports whether a URL has a password, where URLs have one.
func hasPassword(store string) bool {
	_, user, _ := userinfo(store)
	_, password, _ := strings.Cut(user, ":")
	_, query := dsn.Split(store)
	words, err := dsn.Parse(query)
	if err != nil {
		return password != ""
	}
	for _, name := range []string{"password", "sslpassword", "sentinel_password"} {
		if v, ok := words.String(name); ok && v != "" {
			return true
		}
	}
	return password != ""
}

// withPassword returns a URL with a password in it.
func withPassword(store, password string) string {
	before, user, after := userinfo(store)
	if after == "" {
		return store
	}
	user, _, _ = strings.Cut(user, ":")
	return before + user + ":" + strings.ReplaceAll(url.QueryEscape(password), "+", "%20") + after
}

// secret runs a command and returns what it prints, without the line end.
func secret(ctx context.Context, words []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, secretTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		err = failed.Err
	} else if failed, ok := errors.AsType[*exec.Error](err); ok {
		err = failed.Err
	}
	if err != nil && cmd.Process == nil {
		return "", fmt.Errorf("the program %q cannot be started: %w", words[0], err)
	}
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(out), "\r\n")
	if text == "" {
		return "", errors.New("it printed nothing")
	}
	return text, nil
}
