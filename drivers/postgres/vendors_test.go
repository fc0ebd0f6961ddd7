package postgres

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// TestVendors has the data source names that vendors print, and what each becomes,
// or what to write instead.
func TestVendors(t *testing.T) {
	for _, tt := range []struct{ vendor, dsn, want string }{
		{"Neon", "postgresql://ann:s3cret@ep-cool-1.eu-central-1.aws.neon.tech/neondb?sslmode=require",
			"ann@ep-cool-1.eu-central-1.aws.neon.tech:5432/neondb require auto"},
		{"Neon, as printed", "postgresql://ann:s3cret@ep-cool-1-pooler.eu-central-1.aws.neon.tech/neondb?sslmode=require&channel_binding=require",
			`error: word "channel_binding" is "require": lib/pq cannot bind channels; in its place write sslmode=verify-full&sslrootcert=system`},
		{"Supabase, direct", "postgresql://postgres:s3cret@db.abcdefgh.supabase.co:5432/postgres", "postgres@db.abcdefgh.supabase.co:5432/postgres prefer auto"},
		{"Supabase, pooler", "postgresql://postgres.abcdefgh:s3cret@aws-0-eu-central-1.pooler.supabase.com:6543/postgres",
			"postgres.abcdefgh@aws-0-eu-central-1.pooler.supabase.com:6543/postgres prefer auto"},
		{"Supabase, for Prisma", "postgresql://postgres.abcdefgh:s3cret@aws-0-eu-central-1.pooler.supabase.com:6543/postgres?pgbouncer=true&connection_limit=1",
			`error: word "pgbouncer" is another client's: leave it out`},
		{"Supabase, for Vercel", "postgres://postgres.abcdefgh:s3cret@aws-0-eu-central-1.pooler.supabase.com:6543/postgres?sslmode=require&supa=base-pooler.x",
			`error: word "supa" is another client's: leave it out`},
		{"RDS", "postgres://postgres:s3cret@agents.c1.eu-west-1.rds.amazonaws.com:5432/agents?sslmode=verify-full&sslrootcert=global-bundle.pem",
			"postgres@agents.c1.eu-west-1.rds.amazonaws.com:5432/agents verify-full auto"},
		{"Aurora, writer and reader", "postgres://postgres:s3cret@a.cluster-c1.eu-west-1.rds.amazonaws.com,a.cluster-ro-c1.eu-west-1.rds.amazonaws.com/agents?sslmode=require",
			"postgres@a.cluster-c1.eu-west-1.rds.amazonaws.com:5432,a.cluster-ro-c1.eu-west-1.rds.amazonaws.com:5432/agents require auto"},
		{"Azure", "host=agents.postgres.database.azure.com port=5432 dbname=postgres user=ann@agents password=s3cret sslmode=require",
			"ann@agents@agents.postgres.database.azure.com:5432/postgres require auto"},
		{"Heroku", "postgres://u1:s3cret@ec2-1-2-3-4.eu-west-1.compute.amazonaws.com:5432/d1", "u1@ec2-1-2-3-4.eu-west-1.compute.amazonaws.com:5432/d1 prefer auto"},
		{"Heroku, for node", "postgres://u1:s3cret@ec2-1-2-3-4.eu-west-1.compute.amazonaws.com:5432/d1?sslmode=no-verify",
			`error: word "sslmode" is "no-verify", another client's: write require`},
		{"CockroachDB", "postgresql://ann:s3cret@free-tier.gcp-us-central1.cockroachlabs.cloud:26257/defaultdb?sslmode=verify-full&options=--cluster%3Dcool-1",
			"ann@free-tier.gcp-us-central1.cockroachlabs.cloud:26257/defaultdb verify-full auto"},
		{"Aiven", "postgres://avnadmin:s3cret@pg-1.aivencloud.com:12345/defaultdb?sslmode=require", "avnadmin@pg-1.aivencloud.com:12345/defaultdb require auto"},
		{"Fly", "postgres://postgres:s3cret@agents-db.flycast:5432/agents?sslmode=disable", "postgres@agents-db.flycast:5432/agents disable auto"},
		{"DigitalOcean", "postgresql://doadmin:s3cret@db-1.db.ondigitalocean.com:25060/defaultdb?sslmode=require", "doadmin@db-1.db.ondigitalocean.com:25060/defaultdb require auto"},
		{"Render", "postgresql://ann:s3cret@dpg-1-a.frankfurt-postgres.render.com/agents", "ann@dpg-1-a.frankfurt-postgres.render.com:5432/agents prefer auto"},
		{"Cloud SQL, a socket", "postgres://ann:s3cret@%2Fcloudsql%2Fproject%3Aregion%3Ainstance/agents", "ann@/cloudsql/project:region:instance:5432/agents disable auto"},
		{"Cloud SQL, a socket by keyword", "user=ann password=s3cret dbname=agents host=/cloudsql/project:region:instance", "ann@/cloudsql/project:region:instance:5432/agents disable auto"},

		{"SQLAlchemy", "postgresql+psycopg://ann:s3cret@db/agents", "error: want postgres://user:password@host:port/database; leave out the '+'"},
		{"JDBC", "jdbc:postgresql://db:5432/agents?user=ann&password=s3cret", "error: want postgres://user:password@host:port/database; leave out jdbc:"},
		{"another database", "mysql://ann:s3cret@db/agents", "error: want postgres://user:password@host:port/database; it has the scheme of another database"},
		{"a host and a port", "db.example:5432", "error: want postgres://user:password@host:port/database; it is a host and a port alone"},
		{"Prisma", "postgres://ann:s3cret@db/agents?schema=app", `error: word "schema" is another client's: write search_path`},
		{"a line end", "postgres://ann:s3cret@db/agents\n", "error: it begins or ends with a blank or a line end; take it out"},
		{"a blank before", " host=db password=s3cret", "error: it begins or ends with a blank or a line end; take it out"},
		{"quotes", `"postgres://ann:s3cret@db/agents"`, "error: it stands in quotes; take them out"},
	} {
		c, err := ParseConfig(tt.dsn)
		got := ""
		if err != nil {
			got = strings.Replace(err.Error(), "invalid DSN: ", "error: ", 1)
			if len(got) > len(tt.want) {
				got = got[:len(tt.want)]
			}
			if !errors.Is(err, driver.ErrInvalid) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s: %v is not ErrInvalid, or shows the password", tt.vendor, err)
			}
		} else {
			s := c.server
			hosts := fmt.Sprintf("%s:%d", s.Host, s.Port)
			for _, h := range s.Multi {
				hosts += fmt.Sprintf(",%s:%d", h.Host, h.Port)
			}
			got = fmt.Sprintf("%s@%s/%s %s %s", s.User, hosts, s.Database, s.SSLMode, c.prepare())
		}
		if got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.vendor, got, tt.want)
		}
	}
}

// TestMissingRootCertificate: a file that is not there does not turn the
// verification off.
func TestMissingRootCertificate(t *testing.T) {
	t.Parallel()
	server := testserver.StartPostgres(t, testserver.PostgresOptions{TLS: true})
	for _, mode := range []string{"", "&sslmode=require", "&sslmode=prefer", "&sslmode=verify-ca", "&sslmode=verify-full"} {
		base, _, _ := strings.Cut(server.URL, "?")
		err := open(t, base+"?sslrootcert=/nowhere/ca.pem"+mode).Ping(t.Context())
		if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(fmt.Sprint(err), "/nowhere/ca.pem") {
			t.Errorf("%q: got %v, want ErrInvalid that names the file", mode, err)
		}
	}
}
