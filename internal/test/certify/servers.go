package main

// The kinds of servers, which are the page's sections.
const (
	database = "Databases and poolers"
	emulator = "Emulators for tests"
)

// A server is one of those that scripts/certify.sh starts.
type server struct {
	name, title, kind string
	known             []known
	slow              string // why cases come to no end; "" where all have to
}

// A known fault is why cases fail on a server, and what follows for those who use it.
type known struct {
	cases []string // patterns of path.Match
	why   string
}

var servers = []server{
	{"postgresql-14", "PostgreSQL 14", database, nil, ""},
	{"postgresql-15", "PostgreSQL 15", database, nil, ""},
	{"postgresql-16", "PostgreSQL 16", database, nil, ""},
	{"postgresql-17", "PostgreSQL 17", database, nil, ""},
	{"postgresql-18", "PostgreSQL 18", database, nil, ""},
	{"pgbouncer", "PgBouncer", database, nil, ""},
	{"redis-6.2", "Redis 6.2", database, nil, ""},
	{"redis-7.0", "Redis 7.0", database, nil, ""},
	{"redis-8", "Redis 8", database, nil, ""},
	{"valkey", "Valkey 9", database, nil, ""},
	{"pglite", "PGlite", emulator, []known{
		{[]string{"Raw/Payload/*", "Raw/Versions/L*", "Raw/Versions/AsLoaded", "Raw/Rewrite/*", "Raw/Import/AsGiven", "Raw/List/*", "Store/Blobs", "Store/Large"},
			"all its connections are one session, in which a statement of one comes between two packets of another: saves of more than " +
				"some 60 KB beside each other fail, with `ErrUnavailable` and the code 08P01. In tests on it let one program at a time " +
				"save states of that size. It takes `statement_timeout`, and applies none"},
	}, ""},
	{"miniredis", "miniredis", emulator, []known{
		{[]string{"Raw/List/PrefixIsNoPattern", "Raw/DeletePrefix/IsNoPattern"},
			"its `ZRANGEBYLEX` takes the string `+` for infinity, so that the prefix `*` lists, and `DeletePrefix` removes, all threads: " +
				"in tests use prefixes of letters and digits"},
	}, ""},
	{"fakeredis", "fakeredis", emulator, nil, "it takes seconds to read some megabytes with line breaks among them, more than `read_timeout` allows, and the save " +
		"fails with `ErrUnavailable`. In tests on it keep states below a megabyte"},
	{"dynamodb-local", "DynamoDB Local", emulator, nil, ""},
	{"dynalite", "dynalite", emulator, []known{
		{[]string{"Raw/Patches/*", "Raw/Collect/Keeps", "Store/Patches/RoundTrip"},
			"it has no `TransactWriteItems`, without which the driver stores every checkpoint whole: nothing is lost, and " +
				"`incremental=true` changes nothing in tests on it"},
	}, ""},
	{"moto", "moto", emulator, []known{
		{[]string{"Raw/*/OneOfMany*", "Raw/Concurrency/*", "Raw/*/*SeenWhole", "Raw/*/WhileSaving", "Raw/Repeat/Latest", "Store/Update", "Store/Patches/Update", "Program/OverlappingUpdates"},
			"between looking at a condition and writing it lets other requests in: of saves, deletions and leases at once several " +
				"win, and `Update` loses what others have written. In tests on it let one goroutine at a time write a thread, and " +
				"do not test on it what happens to conflicts"},
	}, "it is one process in Python, which takes longer for a list the more items the table holds"},
	{"ministack", "ministack", emulator, nil, "it is one process in Python"},
	{"dynoxide", "dynoxide", emulator, nil, ""},
}
