package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/cli"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/cli/exportfile"
)

var update = flag.Bool("update", false, "write testdata/errors.golden anew")

// errorCases are command lines that fail before they reach a server, in the order in
// which a reader goes through them. STORE is a SQLite file with the thread user-123
// at version 2 and the encrypted thread secret.
var errorCases = []struct {
	title string
	keys  string   // CHECKPOINT_KEYS
	lines []string // arguments, between blanks
	opens []string // data source names, after the name of the driver and a bar
}{
	{title: "Commands and their arguments", lines: []string{
		"lsit", "agents.db", "list now", "load", "load a b", "load user-123 --version 0", "restore user-123 one", "diff", "diff user-123 0",
		"fork user-123 1", "find user-123", "delete", "export", "import", "copy", "help lsit", "completion tcsh", "list --nope", "list --limit x",
		"list --limit -1", "history user-123 --limit -1", "gc now", "stat", "compact", "compact user-123 --all", "compact user-123 --prefix u",
		"ui --addr nowhere", "ui --addr 0.0.0.0:8080",
	}},
	{title: "Which store", lines: []string{
		"list --store agents.db", "list --store postgre://host/db", "list --store sqlite:FOLDER/typo.db",
		"list --store 'sqlite:agents.db'", "verify --store memory:", "verify --store sqlite:STORE --timeout 0s", "list -n a/b", "list --profile nope", "list --profile a --store sqlite:STORE",
		"list --store=", "list --namespace=", "list --profile=", "copy --from= --to sqlite:FOLDER/new.db", "copy --to=", "diff user-123 --with=",
	}},
	{title: "Threads and versions", lines: []string{
		"load nobody", "load user-123 --version 9", "restore user-123 9", "fork user-123 9 new", "fork user-123 1 secret", "diff user-123 1 9", "diff nobody",
		"diff secret", "find user-123 nope", "edit nobody", "log nobody", "log user-123 --from 3 --to 2", "log user-123 --limit -1", "log user-123 --follow --limit 1", "history nobody", "delete nobody --if-exists",
	}},
	{title: "Saving", lines: []string{
		"save user-123 FOLDER/nowhere.json", "save user-123 FOLDER/empty.json", "save user-123 FOLDER/broken.json",
		"save user-123 FOLDER/good.json --meta novalue", "save user-123 FOLDER/good.json --ttl 3x", "save user-123 FOLDER/good.json --if-match=",
		"save user-123 FOLDER/good.json --if-absent", "save user-123 FOLDER/good.json --if-version 7", "save user-123 FOLDER/good.json --if-version 0",
		"save user-123 FOLDER/good.json --if-exists --if-absent", "save user-123 FOLDER/good.json --id a/b",
		"save user-123 FOLDER/good.json --store sqlite:STORE?max_state_size=1", "save secret FOLDER/good.json",
	}},
	{title: "Deleting", lines: []string{
		"delete user-123 --if-version 7", "delete a b --if-version 1", "delete --prefix=", "delete --prefix a b", "delete a --dry-run",
	}},
	{title: "Keys", lines: []string{"load secret"}},
	{title: "Other keys", keys: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWE=", lines: []string{"load secret", "load user-123", "rekey --prefix secret"}},
	{title: "Keys that are none", keys: "AAAA", lines: []string{"load secret"}},
	{title: "Keys that are no base64", keys: "!", lines: []string{"load secret"}},
	{title: "Whole stores", lines: []string{
		"copy --to sqlite:STORE", "copy --to memory:", "copy --to sqlite:FOLDER/new.db --concurrency 0", "copy --to sqlite:FOLDER/new.db?namespace=x --all-namespaces",
		"export FOLDER/good.json", "import FOLDER/good.json", "import FOLDER/nowhere.jsonl", "import FOLDER/empty.json", "import FOLDER/later.jsonl", "import FOLDER/cut.jsonl", "import FOLDER/edited.jsonl",
		"import FOLDER/good.json --from xml", "import FOLDER/good.json --from sql", "import FOLDER/good.json --from jsonl --query q", "import FOLDER/good.json --from folder",
		"bench --bare --store memory:x", "list --sort date", "list --where x", "rekey", "bench --size 0", "watch --interval 1ns",
	}},
	{title: "Profiles", lines: []string{"list --profile nope", "list --profile empty", "list --profile password", "list --profile silent", "list --profile missing", "list --profile unknown"}},
	{title: "Words that every URL may have", lines: []string{
		"ping --store sqlite:STORE?nope=1", "ping --store sqlite:STORE?history=0", "ping --store sqlite:STORE?ttl=3d", "ping --store sqlite:STORE?ttl=1h&ttl=2h",
		"ping --store sqlite:STORE?namespace=a/b", "ping --store sqlite:STORE?max_state_size=0", "ping --store sqlite:STORE?compress=lzma", "ping --store sqlite:STORE?history",
	}},
	{title: "SQLite", lines: []string{
		"ping --store sqlite:", "ping --store sqlite:STORE?synchronous=off", "ping --store sqlite:STORE?busy_timeout=x", "ping --store sqlite:STORE?table_name=a-b",
		"ping --store sqlite:///", "ping --store sqlite:FOLDER/good.json", "ping --store sqlite://host/x.db",
		"ping --store sqlite:///./agents.db", "ping --store sqlite:STORE?allow_links=yes", "ping --store sqlite:FOLDER/nowhere/agents.db",
	}},
	{title: "Memory", lines: []string{"ping --store memory:a/b", "ping --store memory:a?x=1"}},
	{title: "Redis", lines: []string{
		"ping --store redis://host:port/0", "ping --store redis://host:6379/x", "ping --store redis://host:6379/0?shards=x",
		"ping --store redis://host:6379/0?nope=1", "ping --store redis://host:6379/0?dial_timeout=x", "ping --store redis+sentinel://host:26379/0",
		"ping --store redis+cluster://host:7000?shards=0", "ping --store redis://host:6379/0?ssl_cert_reqs=none",
		"ping --store redis://host:6379,host:6380/0", "ping --store rediss://host:6379#insecure", "ping --store redis:host:6379", "ping --store redis+cluster://host:7000/1",
	}},
	{title: "PostgreSQL", lines: []string{
		"ping --store postgres://user@host/db?nope=1", "ping --store postgres://user@host:port/db", "ping --store postgres://user@host/db?sslmode=maybe",
		"ping --store postgres://user@host/db?max_connections=0", "ping --store postgres://user@host/db?table_name=a.b.c", "ping --store postgres://user@host/db?migrate=perhaps",
		"ping --store postgres://user@host/db?pgbouncer=true", "ping --store postgres://user@host/db?schema=x", "ping --store postgres://user:p/w@host/db",
		"ping --store postgres://user@host/db?channel_binding=require", "ping --store postgres://user@host/db?sslmode=no-verify",
		"ping --store postgres://user@host/db?min_connections=20",
		"ping --store postgres:host:5432", "ping --store postgres://user@host/db?prepare=no", "ping --store postgresql+psycopg://user@host/db", "ping --store jdbc:postgresql://host/db",
	}},
	{title: "DynamoDB", lines: []string{
		"ping --store dynamodb://", "ping --store dynamodb://a", "ping --store dynamodb://agents?nope=1", "ping --store dynamodb://agents?create_table=perhaps",
		"ping --store dynamodb://agents?endpoint=nowhere", "ping --store dynamodb://agents?endpoint=https://dynamodb.eu-west-1.api.aws",
		"ping --store dynamodb://agents?endpoint_url=http://localhost:8000", "ping --store dynamodb://agents?aws_access_key_id=key",
		"ping --store dynamodb://arn:aws:s3:::agents", "ping --store dynamodb://arn:aws:dynamodb:eu-west-1:111122223333:table/agents?region=eu-west-2",
		"ping --store dynamodb://arn:aws:dynamodb:eu-west-1:111122223333:table/agents?create_table=true", "ping --store dynamodb://agents?max_connections=0",
		"ping --store dynamodb://agents?index=a", "ping --store dynamodb://agents?region=eu/west",
	}},
	{title: "Data source names in a program", opens: []string{
		"postgre|host=db", "sqlite| agents.db", "sqlite|agents.db\n", "sqlite|'agents.db'", "sqlite|agents.db?namespace=%zz", "sqlite|file:a%zz.db", "sqlite|http://host/x.db", "sqlite|a\x00b",
		"redis|localhost:6379", "redis|redis-cli -u redis://host:6379", "redis|host:6379,password=hunter2,ssl=True", "redis|http://host", "redis|redis://host:6379/0?db=1",
		"redis|unix://host", "redis+cluster|redis+cluster://host:7000,other:7001:1", "redis+cluster|redis+cluster://host:7000?addr=user:hunter2@host:1",
		"postgres|host=db?host=other", "postgres|host=db nope=1", "postgres|host=db password", "postgres|host=db user= dbname=agents", "postgres|host=db connect_timeout=soon",
		"postgres|host=a,b port=1,2,3", "postgres|jdbc:postgresql://host/db", "postgres|postgresql+asyncpg://host/db", "postgres|mysql://host/db", "postgres|host:5432",
		"dynamodb|agents?region=eu-west-1&region=eu-west-1", "dynamodb|https://host/agents",
	}},
}

// profiles are those of the cases.
const profiles = `{
	"empty": {},
	"password": {"store": "postgres://user:hunter2@host/db"},
	"silent": {"store": "postgres://user@host/db", "password_command": ["true"]},
	"missing": {"store": "postgres://user@host/db", "keys_command": ["/no/such/program"]},
	"unknown": {"store": "postgres://user@host/db", "password_command": ["no-such-program"]}
}`

// TestErrorTexts compares what every mistake is answered with to a file that one
// can read from top to bottom: cause, what to do, and nothing of Go's. Write it
// anew with: go test ./cmd/checkpoint -run TestErrorTexts -update
func TestErrorTexts(t *testing.T) {
	for _, name := range []string{"CHECKPOINT_STORE", "CHECKPOINT_PROFILE", "CHECKPOINT_FROM", "CHECKPOINT_TO"} {
		t.Setenv(name, "")
	}
	folder := t.TempDir()
	t.Setenv("CHECKPOINT_PROFILES", filepath.Join(folder, "profiles.json"))
	export := exportOf(t)
	for name, text := range map[string]string{
		"empty.json": "", "broken.json": "{\"a\":\n 1 2}", "good.json": `{"a":1}`,
		"cut.jsonl": export[:len(export)/2], "edited.jsonl": strings.Replace(export, `"a":1`, `"a":2`, 1),
		"later.jsonl": strings.Replace(export, `"checkpoint_export":1`, `"checkpoint_export":99`, 1),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store := filepath.Join(folder, "store.db")
	run := func(keys string, args ...string) (status int, text string) {
		t.Setenv("CHECKPOINT_KEYS", keys)
		var out, said strings.Builder
		status = cli.Run(t.Context(), args, strings.NewReader(""), &out, &said)
		return status, said.String()
	}
	for _, args := range [][]string{{"user-123", "--id", "first"}, {"user-123", "--id", "second"}, {"secret", "--id", "third"}} {
		keys := ""
		if args[0] == "secret" {
			keys = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
		}
		args = append([]string{"save", "--store", "sqlite:" + store}, append(args, filepath.Join(folder, "good.json"))...)
		if status, text := run(keys, args...); status != 0 {
			t.Fatal(text)
		}
	}
	var got bytes.Buffer
	fmt.Fprintln(&got, "What the command answers to mistakes: the status and the text on standard error.")
	for _, group := range errorCases {
		fmt.Fprintf(&got, "\n== %s ==\n", group.title)
		if group.title == "Profiles" {
			if err := os.WriteFile(filepath.Join(folder, "profiles.json"), []byte(profiles), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, open := range group.opens {
			name, source, _ := strings.Cut(open, "|")
			opened, err := checkpoint.Open(name, source)
			if err == nil {
				opened.Close()
			}
			fmt.Fprintf(&got, "\ncheckpoint.Open(%q, %q)\n%v\n", name, source, err)
		}
		for _, line := range group.lines {
			args := strings.Fields(strings.NewReplacer("STORE", store, "FOLDER", folder).Replace(line))
			if !strings.Contains(line, "--store") && !strings.Contains(line, "--profile") {
				args = append(args, "--store", "sqlite:"+store)
			}
			status, text := run(group.keys, args...)
			if status == 0 {
				fmt.Fprintf(&got, "\n$ checkpoint %s\n[0] accepted\n", line)
				continue
			}
			text = strings.NewReplacer(store, "STORE", folder, "FOLDER").Replace(text)
			text = regexp.MustCompile(`FOLDER[^ ]*checkpoint-\d+`).ReplaceAllString(text, "FOLDER/checkpoint-N")
			fmt.Fprintf(&got, "\n$ checkpoint %s\n[%d] %s\n", line, status, cmp.Or(strings.TrimRight(text, "\n"), "(nothing)"))
		}
	}
	for _, inner := range []string{"WithEncryption", "WithNamespace", "WithID", "IfMatch", "IfAbsent", "strconv", "goroutine", "%!", "(*", "keyring"} {
		if strings.Contains(got.String(), inner) {
			t.Errorf("the texts have %q in them, which is the library's or Go's", inner)
		}
	}
	const golden = "testdata/errors.golden"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	compareLines(t, got.String(), string(want))
}

// exportOf returns what export writes of a thread.
func exportOf(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	w, err := exportfile.NewWriter(&out, exportfile.Header{Namespace: "agents", ExportedAt: time.Unix(1, 0).UTC()})
	if err != nil {
		t.Fatal(err)
	}
	cp := driver.Checkpoint{Info: driver.Info{Key: driver.Key{Namespace: "agents", Thread: "t"}, ID: "id", Version: 1, Encoding: "json",
		CreatedAt: time.Unix(1, 0).UTC(), SavedAt: time.Unix(1, 0).UTC()}, Payload: []byte(`{"a":1}`)}
	if err := errors.Join(w.Write(cp), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// compareLines reports the first line that differs.
func compareLines(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Fatalf("line %d: got\n%s\nwant\n%s\n(write the file anew with -update and read the difference)", i+1, a, b)
		}
	}
}
