package dynamodb

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/golden"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

var writeGolden = flag.String("golden.write", "", "a file of testdata to write anew, such as golden-2.json.gz: only for a new format, under a new name")

// goldenFiles are what versions of the driver have stored: the first one, and the
// first one that saved incrementally.
var goldenFiles = []struct {
	name  string
	write func(context.Context, driver.Backend) error
	check func(testing.TB, driver.Backend)
}{
	{"golden-1.json.gz", golden.Write, golden.Check},
	{"golden-2.json.gz", golden.WriteChains, golden.CheckChains},
}

// A value is an attribute in the JSON of DynamoDB's own protocol.
type value struct {
	S    *string          `json:",omitempty"`
	N    *string          `json:",omitempty"`
	B    *[]byte          `json:",omitempty"`
	BOOL *bool            `json:",omitempty"`
	M    map[string]value `json:",omitempty"`
}

func encode(v types.AttributeValue) (value, error) {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return value{S: &v.Value}, nil
	case *types.AttributeValueMemberN:
		return value{N: &v.Value}, nil
	case *types.AttributeValueMemberB:
		return value{B: &v.Value}, nil
	case *types.AttributeValueMemberBOOL:
		return value{BOOL: &v.Value}, nil
	case *types.AttributeValueMemberM:
		m := make(map[string]value, len(v.Value))
		for k, inner := range v.Value {
			var err error
			if m[k], err = encode(inner); err != nil {
				return value{}, err
			}
		}
		return value{M: m}, nil
	}
	return value{}, fmt.Errorf("an attribute of type %T", v)
}

func (v value) decode() types.AttributeValue {
	switch {
	case v.S != nil:
		return str(*v.S)
	case v.N != nil:
		return &types.AttributeValueMemberN{Value: *v.N}
	case v.B != nil:
		return bin(*v.B)
	case v.BOOL != nil:
		return &types.AttributeValueMemberBOOL{Value: *v.BOOL}
	}
	m := make(attributes, len(v.M))
	for k, inner := range v.M {
		m[k] = inner.decode()
	}
	return &types.AttributeValueMemberM{Value: m}
}

// TestGolden reads the items that earlier versions of the driver have stored, from a
// table with an index and from one without.
func TestGolden(t *testing.T) {
	credentials(t)
	for _, file := range goldenFiles {
		if *writeGolden == file.name {
			table := plainTable(t)
			b := openTable(t, table, testserver.DynamoDB(t), "")
			if err := file.write(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			finishJournals(t, b)
			dump(t, table, file.name)
		}
		_, _, indexed := behind(t)
		plain := openTable(t, plainTable(t), testserver.DynamoDB(t), "")
		for name, b := range map[string]*backend{"index": indexed.(*backend), "scan": plain.(*backend)} {
			t.Run(file.name+"/"+name, func(t *testing.T) {
				replay(t, b.cfg.Table, file.name)
				file.check(t, b)
			})
		}
	}
}

func dump(t *testing.T, table, name string) {
	t.Helper()
	out, err := bare(t).Scan(t.Context(), &dynamodb.ScanInput{TableName: &table})
	if err != nil || out.LastEvaluatedKey != nil {
		t.Fatalf("Scan = %v, want all items in one page", err)
	}
	var items []map[string]value
	for _, a := range out.Items {
		item := make(map[string]value, len(a))
		for name, v := range a {
			if item[name], err = encode(v); err != nil {
				t.Fatal(err)
			}
		}
		items = append(items, item)
	}
	text, err := json.MarshalIndent(items, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	w := gzip.NewWriter(&file)
	w.Write(text)
	w.Close()
	if err := os.WriteFile(filepath.Join("testdata", name), file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func replay(t *testing.T, table, name string) {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	var items []map[string]value
	if err := json.Unmarshal(text, &items); err != nil {
		t.Fatal(err)
	}
	for _, item := range items {
		a := make(attributes, len(item))
		for name, v := range item {
			a[name] = v.decode()
		}
		if _, err := bare(t).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: a}); err != nil {
			t.Fatal(err)
		}
	}
}
