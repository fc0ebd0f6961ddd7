// Package sqlite is the checkpoint driver for SQLite: everything in one file,
// nothing to install or to run. Import it for its side effect:
//
//	import _ "github.com/go-ckpt/checkpoint/drivers/sqlite"
//
//	store, err := checkpoint.Open("sqlite", "agents.db")
//
// It is written in Go throughout (modernc.org/sqlite), needs no C compiler, and
// reads and writes ordinary SQLite files.
//
// # Data source names
//
//	agents.db                  a file; everything up to the first '?' is its path
//	sqlite:agents.db           the same as a URL: %20 is a blank, %3F a '?'
//	sqlite:/var/lib/x.db       an absolute path
//	sqlite:///var/lib/x.db     the same
//	file:agents.db             as sqlite:
//	:memory:                   in memory, for this store alone, gone when it is closed
//
// The file is created, for its owner alone (mode 0600), where there is none;
// its folder is not. A relative path is relative to the working directory at
// the first operation. After a '?', next to the words of every driver, may
// stand:
//
//	table_name=agent_checkpoints  the table; letters, digits and underscores
//	synchronous=full              full: what was saved survives the loss of power;
//	                              normal: it survives the end of the process only
//	busy_timeout=5s               how long to wait for a lock of another process
//	allow_links=false             true: accept a file that has several names
//
// # Durability
//
// With synchronous=full, a save returns when the disk has it. Saves that wait
// at the same time share one transaction and one wait for the disk, so that
// many agents in one process save faster together than one after the other.
// Whether a disk tells the truth about that is beyond a program's knowledge.
//
// A process may be killed at any moment: the next one finds each thread as the
// last acknowledged save, or one under way at the end, left it.
//
// # Several processes
//
// Any number of processes on one machine may use one file. Readers wait for
// nobody. Writers take turns; one that waits longer than busy_timeout, because
// a backup or an analysis holds the lock, returns ErrUnavailable.
//
// The file must be on a disk of that machine. On network file systems (NFS,
// SMB) locks and shared memory do not work as SQLite needs them, and two
// machines writing will damage the file; use drivers/postgres or drivers/redis
// there. Synchronised folders of a cloud service copy the file at any moment
// and are no place for it either.
//
// # One file, one name
//
// SQLite keeps its log in a file beside the database and named after it, so that
// a second name means a second log, and lost saves. Symbolic links are followed to
// the one name. A file that has several hard links, or is mounted by itself into a
// container, is ErrInvalid at the first operation; mount its folder instead. A file
// that is removed or replaced while it is open is ErrUnavailable from then on.
//
// In one process a file belongs to one SQLite library, for the system's locks do
// not tell two of them apart: hand the *sql.DB of another library to New.
//
// # Backups
//
// A copy of agents.db alone is not a backup: recent saves are in agents.db-wal
// beside it, and a copy made while somebody writes is torn. Either of these
// makes a consistent copy while the store is in use:
//
//	sqlite3 agents.db "VACUUM INTO 'backup.db'"
//	sqlite3 agents.db ".backup backup.db"
//
// For the same reasons agents.db is moved or deleted together with agents.db-wal
// and agents.db-shm, and only while no process has it open. On Unix a process
// that has a store open must not open and close the file by other means, to
// copy it for example: the system then takes SQLite's locks from the process.
//
// # What it costs
//
//	save                 2 statements in a transaction that waiting saves share; 3 with history
//	patch                5 statements likewise
//	load, stat           1 statement; load of a patched version 2
//	page of a list       1 statement for up to 1024 threads
//	delete               2 statements
//
// A save into a store that keeps one version writes the pages of one row and,
// unless threads expire, no page of an index. With history, the row of the
// version that is dropped becomes that of the new one. Nothing grows with the
// number of threads: a million are listed, loaded and saved as fast as ten
// thousand.
//
// # What is in the file
//
// One table holds a row for every kept version:
//
//	namespace, thread_id, version
//	latest                  1 in the row of a thread's highest version
//	id, encoding, size      as in Info
//	metadata                a JSON object, or NULL
//	created_at, saved_at    microseconds since 1970
//	expires_at              likewise, or NULL
//	state                   TEXT if the encoding is json, otherwise BLOB; of a
//	                        version that was saved incrementally an INTEGER
//
// so that it can be read with the sqlite3 shell:
//
//	SELECT thread_id, version, datetime(saved_at/1000000, 'unixepoch'), state ->> '$.step'
//	FROM agent_checkpoints WHERE namespace = 'agents' AND latest = 1;
//
// A version that was saved incrementally (checkpoint.WithIncremental) has its
// payload in agent_checkpoints_chains: the whole state, or a patch against the
// version before it, in which case state is the version of the whole state that the
// patches begin with. That table also has the versions that such a patch needs and
// that are not kept otherwise. SQL over state and incremental saves exclude each
// other. Programs of a release without that table can use the file at the same
// time; loading a thread that was saved incrementally is ErrCorrupt to them, and
// they can overwrite and delete it.
//
// A third table, agent_checkpoints_schema, holds the version of this layout. A
// newer release of this package migrates the tables in one transaction when it
// first opens them; an older one then refuses them, unless it can do without what is
// new. Other tables of the file, its user_version and its application_id are left
// alone, but the file is switched to write-ahead logging (journal_mode=wal), which
// stays.
//
// Deleted and purged states make room for new ones; the file does not shrink
// until somebody runs VACUUM.
//
// # Limits
//
// A state can have as many bytes as the store allows (max_state_size), up to
// about 1 GB. The file must keep text as UTF-8, as SQLite does unless told
// otherwise. A file that can only be read serves Load, List and History, and
// every save fails; where the folder cannot be written either, that works as
// long as nobody else writes the file.
package sqlite
