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
}

// A known fault is why cases fail on a server, and what follows for those who use it.
type known struct {
	cases []string // patterns of path.Match
	why   string
}

var servers = []server{
	{"postgresql-14", "PostgreSQL 14", database, nil},
	{"postgresql-15", "PostgreSQL 15", database, nil},
	{"postgresql-16", "PostgreSQL 16", database, nil},
	{"postgresql-17", "PostgreSQL 17", database, nil},
	{"postgresql-18", "PostgreSQL 18", database, nil},
	{"pgbouncer", "PgBouncer", database, nil},
	{"redis-6.2", "Redis 6.2", database, nil},
	{"redis-7.0", "Redis 7.0", database, nil},
	{"redis-8", "Redis 8", database, nil},
	{"valkey", "Valkey 9", database, nil},
	{"pglite", "PGlite", emulator, nil},
	{"miniredis", "miniredis", emulator, []known{
		{[]string{"Raw/List/PrefixIsNoPattern", "Raw/DeletePrefix/IsNoPattern"},
			"its `ZRANGEBYLEX` takes the string `+` for infinity, so that the prefix `*` lists, and `DeletePrefix` removes, all threads: " +
				"in tests use prefixes of letters and digits"},
	}},
	{"fakeredis", "fakeredis", emulator, nil},
	{"dynamodb-local", "DynamoDB Local", emulator, nil},
	{"dynalite", "dynalite", emulator, []known{
		{[]string{"Raw/Patches/*", "Store/Patches/RoundTrip"},
			"it has no `TransactWriteItems`, without which the driver stores every checkpoint whole: nothing is lost, and " +
				"`incremental=true` changes nothing in tests on it"},
	}},
	{"moto", "moto", emulator, []known{
		{[]string{"Raw/*/OneOfMany*", "Raw/Concurrency/*", "Raw/Repeat/Latest", "Store/Update", "Program/OverlappingUpdates"},
			"between looking at a condition and writing it lets other requests in: of saves, deletions and leases at once several " +
				"win, and `Update` loses what others have written. In tests on it let one goroutine at a time write a thread, and " +
				"do not test on it what happens to conflicts"},
	}},
	{"ministack", "ministack", emulator, nil},
	{"dynoxide", "dynoxide", emulator, nil},
}
