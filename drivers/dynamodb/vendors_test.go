package dynamodb

import (
	"errors"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/go-ckpt/checkpoint/driver"
)

// A roundTripper answers requests without a network.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) Do(r *http.Request) (*http.Response, error) { return f(r) }

var signedRegion = regexp.MustCompile(`Credential=[^/]+/[0-9]+/([^/]+)/`)

// asked returns the host that the first request of a data source name goes to, and
// the region that it is signed for.
func asked(t *testing.T, source string) (string, error) {
	t.Helper()
	cfg, err := ParseConfig(source)
	if err != nil {
		return "", err
	}
	b := newBackend(nil, cfg)
	defer b.Close()
	op, err := b.begin(t.Context())
	if err != nil {
		return "", err
	}
	defer op.end()
	var to string
	op.client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: op.table}, func(o *dynamodb.Options) {
		o.Retryer = aws.NopRetryer{}
		o.HTTPClient = roundTripper(func(r *http.Request) (*http.Response, error) {
			to = r.URL.Scheme + "://" + r.URL.Host + " " + signedRegion.FindStringSubmatch(r.Header.Get("Authorization"))[1]
			return nil, errors.New("no network")
		})
	})
	return *op.table + " at " + to, nil
}

// TestVendors has data source names for the places where DynamoDB is found, and
// where each leads, or what to write instead.
func TestVendors(t *testing.T) {
	credentials(t)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "config"))
	for _, tt := range []struct{ vendor, dsn, want string }{
		{"AWS", "dynamodb://agents?region=eu-central-1", "agents at https://dynamodb.eu-central-1.amazonaws.com eu-central-1"},
		{"AWS in China", "dynamodb://agents?region=cn-north-1", "agents at https://dynamodb.cn-north-1.amazonaws.com.cn cn-north-1"},
		{"a table's ARN", "dynamodb://arn:aws:dynamodb:eu-west-1:111122223333:table/agents",
			"arn:aws:dynamodb:eu-west-1:111122223333:table/agents at https://111122223333.ddb.eu-west-1.amazonaws.com eu-west-1"},
		{"a table's ARN alone", "arn:aws-us-gov:dynamodb:us-gov-west-1:111122223333:table/agents",
			"arn:aws-us-gov:dynamodb:us-gov-west-1:111122223333:table/agents at https://111122223333.ddb.us-gov-west-1.amazonaws.com us-gov-west-1"},
		{"LocalStack", "dynamodb://agents?endpoint=http://localhost:4566&region=us-east-1", "agents at http://localhost:4566 us-east-1"},
		{"LocalStack by its domain", "dynamodb://agents?endpoint=http://localhost.localstack.cloud:4566", "agents at http://localhost.localstack.cloud:4566 us-east-1"},
		{"DynamoDB Local in Compose", "dynamodb://agents?endpoint=http://dynamodb:8000", "agents at http://dynamodb:8000 us-east-1"},
		{"VPC interface endpoint", "dynamodb://agents?region=eu-west-1&endpoint=https://vpce-0a1b-c2d3.dynamodb.eu-west-1.vpce.amazonaws.com",
			"agents at https://vpce-0a1b-c2d3.dynamodb.eu-west-1.vpce.amazonaws.com eu-west-1"},
		{"VPC interface endpoint, no region", "dynamodb://agents?endpoint=https://vpce-0a1b-c2d3.dynamodb.eu-west-1.vpce.amazonaws.com",
			"error: no AWS region is configured; give the word region"},
		{"FIPS", "dynamodb://agents?region=us-gov-west-1&endpoint=https://dynamodb.us-gov-west-1.amazonaws.com",
			"agents at https://dynamodb.us-gov-west-1.amazonaws.com us-gov-west-1"},
		{"FIPS in the east", "dynamodb://agents?region=us-east-1&endpoint=https://dynamodb-fips.us-east-1.amazonaws.com",
			"agents at https://dynamodb-fips.us-east-1.amazonaws.com us-east-1"},
		{"dual-stack", "dynamodb://agents?region=eu-west-1&endpoint=https://dynamodb.eu-west-1.api.aws",
			`error: word "endpoint" names a dual-stack endpoint`},

		{"an ARN and its region", "arn:aws:dynamodb:eu-west-1:111122223333:table/agents?region=eu-west-1",
			"arn:aws:dynamodb:eu-west-1:111122223333:table/agents at https://111122223333.ddb.eu-west-1.amazonaws.com eu-west-1"},
		{"an ARN and another region", "arn:aws:dynamodb:eu-west-1:111122223333:table/agents?region=eu-west-2",
			`error: word "region" is "eu-west-2", and the ARN of the table names eu-west-1; leave the word out`},
		{"an ARN to be made", "arn:aws:dynamodb:eu-west-1:111122223333:table/agents?create_table=true", `error: word "create_table" makes tables of this account`},
		{"an index's ARN", "arn:aws:dynamodb:eu-west-1:111122223333:table/agents/index/i", "error: want the ARN of a table"},
		{"a stream's ARN", "arn:aws:dynamodb:eu-west-1:111122223333:table/agents/stream/2026-01-01T00:00:00.000", "error: want the ARN of a table"},
		{"another service's ARN", "arn:aws:s3:::agents", "error: want the ARN of a table"},
		{"an ARN without an account", "arn:aws:dynamodb:eu-west-1::table/agents", "error: want the ARN of a table"},
		{"a host for a table", "dynamodb://dynamodb.eu-west-1.amazonaws.com/agents", "error: want the name of a table"},
		{"an endpoint without a scheme", "agents?endpoint=localhost:8000", `error: word "endpoint": want http:// or https:// and a host`},
		{"boto3's words", "agents?endpoint_url=http://localhost:8000", `error: word "endpoint_url" is another client's: write endpoint`},
		{"a key", "agents?aws_access_key_id=AKIAS3CRET&aws_secret_access_key=s3cret", `error: word "aws_access_key_id" is another client's: credentials never stand here`},
		{"a line end", "dynamodb://agents\n", "error: it begins or ends with a blank or a line end; take it out"},
		{"a blank before", " agents", "error: it begins or ends with a blank or a line end; take it out"},
		{"quotes", `"dynamodb://agents"`, "error: it stands in quotes; take them out"},
	} {
		got, err := asked(t, tt.dsn)
		if err != nil {
			got = strings.NewReplacer("invalid DSN: ", "error: ", "invalid: ", "error: ").Replace(err.Error())
			got = got[:min(len(got), len(tt.want))]
			if !errors.Is(err, driver.ErrInvalid) || strings.Contains(strings.ToLower(err.Error()), "s3cret") {
				t.Errorf("%s: %v is not ErrInvalid, or shows a key", tt.vendor, err)
			}
		}
		if got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.vendor, got, tt.want)
		}
	}
}
