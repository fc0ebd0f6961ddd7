package testserver

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// askDynamoDB sends one request and returns its reply.
func askDynamoDB(t *testing.T, endpoint, action, body string) string {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, endpoint, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Amz-Target", "DynamoDB_20120810."+action)
	request.Header.Set("Content-Type", "application/x-amz-json-1.0")
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x/20200101/eu-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature=x")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: got %s, %v: %s", action, response.Status, err, reply)
	}
	return string(reply)
}

const createTable = `{"TableName": "kept", "BillingMode": "PAY_PER_REQUEST",
	"AttributeDefinitions": [{"AttributeName": "thread_id", "AttributeType": "S"}],
	"KeySchema": [{"AttributeName": "thread_id", "KeyType": "HASH"}]}`

func TestSharedDynamoDB(t *testing.T) {
	t.Parallel()
	if got := askDynamoDB(t, DynamoDB(t), "ListTables", "{}"); !strings.Contains(got, "TableNames") {
		t.Errorf("got %s", got)
	}
}

func TestDynamoDBData(t *testing.T) {
	t.Parallel()
	for _, onDisk := range []bool{false, true} {
		t.Run(map[bool]string{false: "memory", true: "disk"}[onDisk], func(t *testing.T) {
			p := StartDynamoDB(t, DynamoDBOptions{OnDisk: onDisk})
			askDynamoDB(t, p.URL, "CreateTable", createTable)
			p.Kill()
			if !refused(p.Addr) {
				t.Error("the server still listens")
			}
			p.Restart()
			if got := askDynamoDB(t, p.URL, "ListTables", "{}"); strings.Contains(got, "kept") != onDisk {
				t.Errorf("on disk: %v; got %s", onDisk, got)
			}
		})
	}
}

func TestDynamoDBTakenPort(t *testing.T) {
	t.Parallel()
	p := StartDynamoDB(t, DynamoDBOptions{})
	p.Kill()
	for i, arg := range p.command.args {
		if arg == "-port" {
			p.command.args[i+1] = itoa(takePort(t))
		}
	}
	if err := p.start(); !isPortTaken(err) {
		t.Errorf("got %v, want %v", err, errPortTaken)
	}
}
