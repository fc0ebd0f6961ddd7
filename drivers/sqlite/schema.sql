-- The schema, version by version. Each section is run once, in the
-- transaction that records its number in {schema}; a published section is
-- never changed. What older programs can do without has a name, and is made where
-- it is missing.

-- name: 1
-- Every kept version of every thread is a row. The state stands last, so that
-- whatever reads the other columns does not read it. The partial indexes
-- divide a thread's latest version from its older ones: a store that keeps one
-- version rewrites one row at each save and touches no index.
CREATE TABLE {table} (
  key        INTEGER PRIMARY KEY,
  namespace  TEXT    NOT NULL,
  thread_id  TEXT    NOT NULL,
  version    INTEGER NOT NULL,
  latest     INTEGER NOT NULL, -- 1 in the row of the thread's highest version, 0 in the others
  id         TEXT    NOT NULL,
  encoding   TEXT    NOT NULL,
  size       INTEGER NOT NULL, -- bytes of state
  metadata   TEXT,             -- a JSON object of strings, or NULL
  created_at INTEGER NOT NULL, -- microseconds since 1970, UTC: the thread's first save
  saved_at   INTEGER NOT NULL, -- this save
  expires_at INTEGER,          -- NULL: never; that of the latest version counts
  state      NOT NULL          -- TEXT where encoding is 'json', otherwise BLOB; INTEGER where the table of chains has it: the version's base
);
CREATE UNIQUE INDEX {latest}  ON {table} (namespace, thread_id) WHERE latest = 1;
CREATE UNIQUE INDEX {older}   ON {table} (namespace, thread_id, version) WHERE latest = 0;
CREATE INDEX        {older_id} ON {table} (namespace, thread_id, id) WHERE latest = 0;
CREATE INDEX        {expires} ON {table} (namespace, expires_at) WHERE latest = 1 AND expires_at IS NOT NULL;

-- name: chains
-- The payloads of the versions that have a digest, which patches can be made
-- against, and of those that are needed by one of them: the rows from the base of
-- the oldest visible version on. docs/design.md, "Incremental saves".
CREATE TABLE {chains} (
  key       INTEGER PRIMARY KEY,
  namespace TEXT    NOT NULL,
  thread_id TEXT    NOT NULL,
  version   INTEGER NOT NULL,
  id        TEXT    NOT NULL,
  base      INTEGER NOT NULL, -- 0 where it is whole
  encoding  TEXT    NOT NULL,
  digest    TEXT    NOT NULL,
  payload   BLOB    NOT NULL
);
CREATE UNIQUE INDEX {chains_version} ON {chains} (namespace, thread_id, version);
-- A chain ends with its thread, also when a program deletes it that knows no chains.
CREATE TRIGGER {chains_end} AFTER DELETE ON {table} WHEN old.latest = 1 BEGIN
  DELETE FROM {chains} WHERE namespace = old.namespace AND thread_id = old.thread_id;
END;
