package robustness

import (
	"context"
	cryptorand "crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscredentials "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	_ "github.com/go-ckpt/checkpoint/drivers/dynamodb"
	"github.com/go-ckpt/checkpoint/internal/test/faultproxy"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// startDynamoDB is a table in the server that the tests share: it takes long to
// start. Its index does not lag behind as that of the service may.
func startDynamoDB(t testing.TB) *deployment {
	endpoint := testserver.DynamoDB(t)
	proxy := faultproxy.New(t, strings.TrimPrefix(endpoint, "http://"))
	table := dynamoTable{
		name: "proof-" + cryptorand.Text(),
		client: dynamodb.New(dynamodb.Options{
			Region: "us-east-1", BaseEndpoint: &endpoint,
			Credentials: awscredentials.NewStaticCredentialsProvider("test", "test", ""),
		}),
	}
	dsn := func(table, host string) string {
		return "dynamodb://" + table + "?" + url.Values{
			"create_table": {"true"}, "region": {"us-east-1"}, "endpoint": {host},
		}.Encode()
	}
	return &deployment{
		driver: "dynamodb",
		dsn:    dsn(table.name, "http://"+proxy.Addr()),
		proxy:  proxy,
		direct: dsn(table.name, endpoint),
		faults: networkFaults(proxy),
		fresh: func(testing.TB) string {
			return dsn("fresh-"+cryptorand.Text(), "http://"+proxy.Addr())
		},
		stored: func(t testing.TB) int { return len(table.items(t)) },
		show: func(t testing.TB) string {
			var keys []string
			for _, item := range table.items(t) {
				keys = append(keys, itemKey(item))
			}
			return strings.Join(keys, " ")
		},
		age:    table.age,
		damage: table.damage,
	}
}

type attributes = map[string]types.AttributeValue

// A dynamoTable is a table as another program sees it.
type dynamoTable struct {
	name   string
	client *dynamodb.Client
}

func (d dynamoTable) items(t testing.TB) []attributes {
	t.Helper()
	var items []attributes
	in := &dynamodb.ScanInput{TableName: &d.name, ConsistentRead: aws.Bool(true)}
	for pages := dynamodb.NewScanPaginator(d.client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, page.Items...)
	}
	return items
}

func (d dynamoTable) put(ctx context.Context, item attributes) error {
	_, err := d.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &d.name, Item: item})
	return err
}

func (d dynamoTable) remove(ctx context.Context, key string) error {
	_, err := d.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &d.name, Key: attributes{"thread_id": &types.AttributeValueMemberS{Value: key}},
	})
	return err
}

func itemKey(item attributes) string {
	return item["thread_id"].(*types.AttributeValueMemberS).Value
}

// age makes the journals of writers that have died so old that Purge takes their
// writers for dead.
func (d dynamoTable) age(t testing.TB) {
	t.Helper()
	for _, item := range d.items(t) {
		if !strings.HasPrefix(itemKey(item), "ckpt#j#") {
			continue
		}
		var journal map[string]any
		text := item["journal"].(*types.AttributeValueMemberS).Value
		if err := json.Unmarshal([]byte(text), &journal); err != nil || journal["At"] == nil {
			t.Fatalf("the journal %s: %v, want JSON with the time At", text, err)
		}
		journal["At"] = time.Now().Add(-48 * time.Hour).UTC()
		aged, err := json.Marshal(journal)
		if err == nil {
			item["journal"] = &types.AttributeValueMemberS{Value: string(aged)}
			err = d.put(t.Context(), item)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// damage removes an item, or changes, removes or retypes an attribute of one.
func (d dynamoTable) damage(t testing.TB, r *rand.Rand) string {
	t.Helper()
	ctx := t.Context()
	items := d.items(t)
	slices.SortFunc(items, func(a, b attributes) int { return strings.Compare(itemKey(a), itemKey(b)) })
	for range 50 {
		item := maps.Clone(items[r.IntN(len(items))])
		key := itemKey(item)
		if r.IntN(10) == 0 {
			if err := d.remove(ctx, key); err != nil {
				t.Fatal(err)
			}
			return fmt.Sprintf("the item %q removed", key)
		}
		names := slices.DeleteFunc(slices.Sorted(maps.Keys(item)), func(name string) bool { return name == "thread_id" })
		if len(names) == 0 {
			continue
		}
		name := names[r.IntN(len(names))]
		old := item[name]
		value := dynamoJunk(r, old)
		if value == nil {
			delete(item, name)
		} else {
			item[name] = value
		}
		if err := d.put(ctx, item); err == nil { // the database refuses some
			return fmt.Sprintf("the attribute %s of the item %q from %.60s to %.60s", name, key, shownAttribute(old), shownAttribute(value))
		}
	}
	return "nothing that the database allows"
}

// dynamoJunk is what an attribute becomes: nothing, a value of another type, or
// another of its own.
func dynamoJunk(r *rand.Rand, old types.AttributeValue) types.AttributeValue {
	text := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	number := func(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }
	if r.IntN(2) == 0 {
		switch v := old.(type) {
		case *types.AttributeValueMemberS:
			return text(v.Value[:r.IntN(len(v.Value)+1)])
		case *types.AttributeValueMemberB:
			b := slices.Clone(v.Value)
			if len(b) > 0 {
				b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
			}
			return &types.AttributeValueMemberB{Value: b[:r.IntN(len(b)+1)]}
		case *types.AttributeValueMemberN:
			n, _ := strconv.ParseInt(v.Value, 10, 64)
			return number(fmt.Sprint(n + int64(r.IntN(7)) - 3))
		}
	}
	all := []types.AttributeValue{
		nil, text(""), text("x"), text("{"), text("[]"), text(strings.Repeat("y", 100_000)), text("2026-13-45"), text("a\nb\n\nc"),
		number("-1"), number("0"), number("1"), number("0.5"), number("4611686018427387904"), number("9223372036854775807"), number("99999999999999999999"), number("1e100"),
		&types.AttributeValueMemberB{Value: []byte{0xff, 0}}, &types.AttributeValueMemberB{Value: []byte{}},
		&types.AttributeValueMemberBOOL{Value: true}, &types.AttributeValueMemberNULL{Value: true},
		&types.AttributeValueMemberM{Value: attributes{}}, &types.AttributeValueMemberM{Value: attributes{"k": number("1")}},
		&types.AttributeValueMemberL{Value: []types.AttributeValue{text("x")}}, &types.AttributeValueMemberSS{Value: []string{"x"}},
	}
	return all[r.IntN(len(all))]
}

func shownAttribute(v types.AttributeValue) string {
	text, _ := json.Marshal(v)
	return fmt.Sprintf("%T %s", v, text)
}
