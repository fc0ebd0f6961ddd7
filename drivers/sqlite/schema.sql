-- The schema, version by version. Each section is run once, in the
-- transaction that records its number in {schema}; a published section is
-- never changed.

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
  state      NOT NULL          -- TEXT where encoding is 'json', otherwise BLOB
);
CREATE UNIQUE INDEX {latest}  ON {table} (namespace, thread_id) WHERE latest = 1;
CREATE UNIQUE INDEX {older}   ON {table} (namespace, thread_id, version) WHERE latest = 0;
CREATE INDEX        {older_id} ON {table} (namespace, thread_id, id) WHERE latest = 0;
CREATE INDEX        {expires} ON {table} (namespace, expires_at) WHERE latest = 1 AND expires_at IS NOT NULL;
