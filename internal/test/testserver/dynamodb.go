package testserver

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// DynamoDBOptions configure DynamoDB Local. The zero value is a server that
// holds everything in memory: Kill and Stop lose it.
type DynamoDBOptions struct {
	OnDisk bool     // keep the tables in the folder Dir
	Args   []string // further arguments of DynamoDB Local, such as "-delayTransientStatuses"
}

// DynamoDB returns the endpoint, http://127.0.0.1:PORT, of a DynamoDB Local
// that the tests of this binary share. It takes any credentials and region, and
// all of them see the same tables. Tests keep apart by the names of tables.
func DynamoDB(t testing.TB) string {
	t.Helper()
	return share(t, "CHECKPOINT_TEST_DYNAMODB", func(o *owner) (string, error) {
		p, err := startDynamoDB(o, DynamoDBOptions{})
		if err != nil {
			return "", err
		}
		return p.URL, nil
	})
}

// StartDynamoDB starts a DynamoDB Local of the test's own. Its URL is the
// endpoint. DynamoDB Local has no word for the address it listens on: it
// listens on all of them.
func StartDynamoDB(t testing.TB, options DynamoDBOptions) *Process {
	t.Helper()
	p, err := startDynamoDB(ownedBy(t), options)
	check(t, err)
	return p
}

func startDynamoDB(o *owner, options DynamoDBOptions) (*Process, error) {
	java, err := find("a Java runtime, 17 or newer; Debian: default-jre-headless", []string{"java"})
	if err != nil {
		return nil, err
	}
	folder, err := findDynamoDBLocal()
	if err != nil {
		return nil, err
	}
	return launch(o, "dynamodb", func(p *Process, port int) (command, error) {
		p.URL = "http://" + p.Addr
		args := []string{
			"-XX:+UseSerialGC", "-Xmx2g", // starts faster than with many threads for the collector, and has room for states of 16 MB
			"-XX:TieredStopAtLevel=1",                       // a server of minutes spends more on the second compiler than that ever saves
			"-XX:-UsePerfData", "-Djava.io.tmpdir=" + p.Dir, // leaves no files elsewhere
			"-Djava.library.path=" + filepath.Join(folder, "DynamoDBLocal_lib"),
			"-jar", filepath.Join(folder, "DynamoDBLocal.jar"),
			"-sharedDb", "-port", fmt.Sprint(port),
		}
		if options.OnDisk {
			args = append(args, "-dbPath", p.Dir)
		} else {
			args = append(args, "-inMemory")
		}
		return command{
			path:    java,
			args:    append(args, options.Args...),
			env:     []string{"DDB_LOCAL_TELEMETRY=0"},
			ready:   dynamoDBAnswers,
			stop:    sigTerm,
			abandon: sigKill,
		}, nil
	})
}

// findDynamoDBLocal returns the folder of DynamoDBLocal.jar:
// CHECKPOINT_DYNAMODB_LOCAL, or where scripts/test.sh puts it.
func findDynamoDBLocal() (string, error) {
	home, _ := os.UserHomeDir()
	cache := cmp.Or(os.Getenv("XDG_CACHE_HOME"), filepath.Join(home, ".cache"))
	folder := cmp.Or(os.Getenv("CHECKPOINT_DYNAMODB_LOCAL"), filepath.Join(cache, "checkpoint-test", "dynamodb-local"))
	if _, err := os.Stat(filepath.Join(folder, "DynamoDBLocal.jar")); err != nil {
		return "", &notInstalledError{
			"DynamoDB Local",
			"unpack it in " + folder + ", or let CHECKPOINT_DYNAMODB_LOCAL name the folder with DynamoDBLocal.jar",
		}
	}
	return folder, nil
}

// dynamoDBAnswers asks for the list of tables. It asks only a server that has
// said in its log that it took the port: until then another may have it.
func dynamoDBAnswers(p *Process) error {
	if err := logged("CorsParams")(p); err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodPost, p.URL, bytes.NewBufferString("{}"))
	if err != nil {
		return err
	}
	request.Header.Set("X-Amz-Target", "DynamoDB_20120810.ListTables")
	request.Header.Set("Content-Type", "application/x-amz-json-1.0")
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20200101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=none")
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}
