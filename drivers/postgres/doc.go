// Package postgres is the checkpoint driver for PostgreSQL, through
// github.com/lib/pq and database/sql. It is for teams that want the guarantees
// of a database and SQL over their agents' states: the state of every thread is a
// JSONB value in a table.
//
// # Data source names
//
//	postgres://user:password@localhost/agents
//	postgresql://user@db1.example:5432,db2.example:5432/agents?sslmode=verify-full&history=20
//	host=/var/run/postgresql dbname=agents?ttl=24h
//
// URLs are libpq's: several hosts, each with its port, and a socket's directory
// as a host with %2F for its slashes. The driver's own words, after the '?':
//
//	table_name=NAME        the table, agent_checkpoints by default; may be schema.table
//	max_connections=10     bound on the connections that are open at once
//	min_connections=2      how many are opened by Ping and kept open, if the server has room
//	migrate=true|false     false: never make or change tables
//	prepare=auto|true|false  whether statements are prepared; auto: not behind a pooler
//
// libpq's words can stand there too (host, port, user, password, dbname, sslmode,
// sslrootcert, target_session_attrs, connect_timeout, options, application_name
// and the like), as can the session's search_path, role, statement_timeout,
// lock_timeout and timezone. lib/pq reads the environment (PGHOST, PGPASSWORD
// and so on) and ~/.pgpass for what is left out. Three defaults are not lib/pq's:
// sslmode is prefer, as in libpq (write verify-full for a server across a network;
// Ping warns where the DSN leaves it open);
// target_session_attrs is primary; and opening a connection takes 8 seconds at
// most. lib/pq's word binary_parameters is not for users: the driver sets it.
//
// # The table
//
// The first use makes the tables agent_checkpoints, agent_checkpoints_history and
// agent_checkpoints_chains and one function, under an advisory lock, so that any
// number of processes may start at once. The first table has a row for each thread:
//
//	namespace, thread_id     the primary key, in byte order
//	state       JSONB        the latest state; JSON null where payload holds it
//	created_at, updated_at   of the thread's present life, and of this version
//	version, id, size, encoding, metadata, expires_at
//	payload     BYTEA        NULL, or the state as bytes
//	oldest                   the oldest version that is kept
//
// The second table has the same columns for older versions that are kept. Its
// foreign key deletes them with the thread, also when you delete a row by hand.
// The third table is empty unless states are saved incrementally
// (checkpoint.WithIncremental). It then has the payloads of the versions that were saved
// so, the whole state or a patch against the version before it, and of those that
// such a patch needs and that are not kept otherwise. In the other tables payload is
// then empty, of no bytes, and state the version of the whole state that the patches
// begin with, 0 where there are none. SQL over state and incremental saves therefore exclude
// each other. Programs of a release without that table can use the database at the same
// time; loading a thread that was saved incrementally is ErrCorrupt to them, and they can
// overwrite and delete it. What their saves leave in the third table, the next save of a newer
// program removes.
//
// A program must not write these columns by other means, but it may read them, and
// a table may have further columns and indexes, as long as a row can do without
// them.
//
// A state is in JSONB unless JSONB cannot hold it: states that are not JSON
// (checkpoint.Bytes, other codecs, compressed and encrypted ones), and JSON with an
// escaped U+0000 or half of a surrogate pair, with numbers of more than 1,000 digits
// or exponents beyond 999, nested too deep for the server, or longer than 32 MiB.
// Those are in payload, byte for byte. JSONB keeps every digit of a number, but not
// its spelling: 1e2 comes back as 100, and -0 as 0, which are the same numbers.
//
// # Accounts without the right to make tables
//
// [Schema] returns the SQL for the owner to run. An application's account then
// needs
//
//	GRANT USAGE ON SCHEMA public TO app;
//	GRANT SELECT, INSERT, UPDATE, DELETE ON agent_checkpoints, agent_checkpoints_history, agent_checkpoints_chains TO app;
//
// and EXECUTE on the function agent_checkpoints_save_3, which PostgreSQL grants to
// every account by default. Such an account needs no migrate=false; the
// word makes sure that a program changes nothing even where it could.
//
// A release whose function differs gives it another name, so that programs of both
// can run side by side; the owner then makes the new one, by a program without
// migrate=false. The function names its tables with their schema. Ping looks whether
// these are still the ones, and every save does: after a schema or a table was
// renamed, restored or exchanged for another, the function is made anew, or the save
// is refused where migrations are forbidden. A table without the history and the
// chains that belong to it is refused: rename all three.
//
// Row level security that hides every row from the account is refused by Ping, since
// each thread would look absent; where there are policies for the account, Ping
// warns.
//
// # Taking a table over
//
// A table made by
//
//	CREATE TABLE agent_checkpoints (
//		thread_id TEXT PRIMARY KEY, state JSONB NOT NULL,
//		created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW())
//
// is taken over in place, with its rows: they become version 1 in the namespace
// agents. Nothing is copied and no row is written. A table of less than 64 MB is
// taken over in one transaction, which locks it for well below a second. A
// larger one takes three, each of which can fail without harm and is then done
// again by the next program that connects:
//
//  1. New columns. ACCESS EXCLUSIVE, for a few milliseconds.
//  2. Three indexes. SHARE: reads go on, writes wait, for about a second
//     for each million rows, and as long as reading the table once takes.
//  3. The new primary key, on an index of step 2, and the history's table. ACCESS
//     EXCLUSIVE, for a few milliseconds.
//
// Steps 1 and 3 wait at most 2 seconds for other users of the table, let them go on,
// and try again. A logger given to package checkpoint is told of each step.
//
// The former program can read throughout and afterwards, as long as it names the
// columns it reads (a prepared SELECT * fails once when columns are added). It can
// write until step 3, except during step 2; after that its INSERT … ON CONFLICT
// (thread_id) fails, so that it cannot overwrite what has become a checkpoint. The
// index agent_checkpoints_reader is for its reads by thread_id alone; drop it when
// the program is gone. Views and foreign keys on thread_id have to be dropped
// before and made again after. Times that Go or JSON cannot show, such as infinity,
// are read as the nearest that they can. A table of that name with any other columns is
// refused, and so is one that a later version of this package has changed.
//
// # Round trips
//
// Save, Load, LoadVersion, Find, Stat, Delete and Ping are one statement and one round
// trip each, history and conditions included; so are each page of List, History and
// Versions and each batch of Purge and DeletePrefix. There are exceptions that take two: a save
// that finds more to do than is usual (it drops a whole history or several versions of it,
// begins a new life, or is there already); one that meets a conflict, or another save
// of the same thread, the first time in a while; and a load when the handle has not met or
// saved a state in patches for a while. A connection prepares a statement when it uses
// it the second time, which takes one more, and two once. Opening a connection takes one
// round trip, two more for a password by SCRAM, and two or three for TLS; two more to a
// server without TLS unless sslmode=disable is given. A fresh handle takes one more to
// look for the tables.
//
// A patch writes itself and rows of a few hundred bytes, whatever the state has, and a whole
// state that is saved incrementally is written once, and not copied to the history later.
//
// Any other save changes one row. With a history it also copies the row it replaces to
// the other table, where it takes the place of the row that is kept no longer: other rows
// are not written. The driver has no index on what a save changes, so that PostgreSQL can
// make HOT updates; only for threads that expire there is one, on expires_at, which
// Purge uses. An index of your own on updated_at, or on state, ends HOT updates for
// every save.
//
// Until a new table has statistics, which autovacuum sees to within a minute,
// PostgreSQL may sort all names for a page of List. After copying many threads into a
// new table, or with autovacuum off, run ANALYZE agent_checkpoints.
//
// # What happens to operations when something fails
//
// Serialization failures and deadlocks are retried for up to 8 seconds. A connection
// that the server has ended while it was idle is replaced before anything is sent,
// so that a restart or failover of the server costs only what was under way. The
// reply to a save is never waited for twice: when a connection breaks before the
// reply, the driver asks, on another one, whether the save is there, and returns its
// Info if it is. If it is not, or cannot be found out, Save returns ErrUnavailable and
// does not send the save again, since others may have saved in between and left
// nothing to recognise it by. A deletion leaves nothing to recognise it by either:
// it is not sent again, and Delete returns ErrUnavailable. database/sql's own repetitions are kept out of this.
//
// An operation returns within a second of its context's end, whatever the network
// does, and asks the server to cancel what a save is waiting for. Operations that find
// all connections of the pool in use wait in the order in which they came: as long
// as their contexts allow and, without a deadline, as long as others before them are
// answered, or 9 seconds. A server that has no room for max_connections is used with
// those that it lets in. Without a deadline an operation waits up to 8 seconds for a new
// connection, and 8.5 seconds from its turn for a server that says nothing. A large state
// may take longer, as long as some of it leaves or arrives.
//
// By default only a primary is used (target_session_attrs): a standby would load
// checkpoints that are no longer the latest. After a failover, connections go to
// the new primary, which is found among the hosts of the DSN, or behind the one name.
// While there is none, operations return ErrUnavailable.
//
// # Poolers
//
// In front of a server, PgBouncer and its like may hand each transaction to
// another session. Prepared statements do not survive that: the statement of one
// program could run with the arguments of another. With prepare=auto, the default,
// each new connection compares, before it prepares anything, the process that it was
// told of with the one that answers, which takes a round trip; where they differ a pooler
// is between, and no statement is prepared. Statements are then parsed for every use, still in one
// round trip. prepare=true prepares behind a pooler too, which is safe in session
// mode, and where PgBouncer 1.21 or later looks after prepared statements
// (max_prepared_statements); prepare=false never does. Words for the session (search_path,
// role, options, timeouts) do not get through a pooler; set them for the role or the
// database.
//
// # Pools of your own
//
// [New] takes a *sql.DB of lib/pq, pgx or another driver. Statements are then
// given to the pool as they are: pgx prepares them by itself, in one round trip;
// lib/pq needs two unless the pool was made with binary_parameters=yes. The pool's
// driver decides how soon a cancelled operation returns and what happens to a
// connection that has broken while idle: with lib/pq's own driver a Save on
// such a connection returns ErrUnavailable.
package postgres
