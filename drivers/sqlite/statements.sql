-- Every statement of the driver but those that make the tables. {table} is the
-- table of schema.sql and {chains} the one beside it. Of a row t of {table},
-- {columns} are those that make an Info, {base} is its base, NULL where {chains} does
-- not have its payload, and {payload} is the payload. {state} is a parameter that is
-- stored as TEXT or as a BLOB.
--
-- Where a statement reads one row, the names and declared types of its columns
-- take longer to fetch than their values: hence "+id AS b".

-- name: head
-- What a save has to know of a thread, dead or alive: its latest version, the
-- lowest of the older ones, the older one that was saved with this id, the base of
-- the latest one, and the lowest version of its chain.
SELECT +key AS a, +id AS b, +version AS c, +created_at AS d, +expires_at AS e,
  (SELECT min(version) FROM {table} WHERE namespace = ?1 AND thread_id = ?2 AND latest = 0) AS f,
  (SELECT version FROM {table} WHERE namespace = ?1 AND thread_id = ?2 AND latest = 0 AND id = ?3) AS g,
  {base} AS h, (SELECT min(version) FROM {chains} WHERE namespace = ?1 AND thread_id = ?2) AS i
FROM {table} AS t WHERE namespace = ?1 AND thread_id = ?2 AND latest = 1

-- name: latest
SELECT {columns} FROM {table} AS t WHERE namespace = ?1 AND thread_id = ?2 AND latest = 1

-- name: older
SELECT {columns} FROM {table} AS t WHERE namespace = ?1 AND thread_id = ?2 AND latest = 0 AND version = ?3

-- name: insert
-- Adds a row for a new latest version.
INSERT INTO {table} (latest, version, id, encoding, size, metadata, created_at, saved_at, expires_at, state, namespace, thread_id)
VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, {state}, ?, ?)

-- name: replace
-- Writes the new latest version over the row of the present one.
UPDATE {table} SET version = ?, id = ?, encoding = ?, size = ?, metadata = ?, created_at = ?, saved_at = ?, expires_at = ?, state = {state}
WHERE key = ?

-- name: recycle
-- Writes the new latest version over the row of an older one.
UPDATE {table} SET latest = 1, version = ?, id = ?, encoding = ?, size = ?, metadata = ?, created_at = ?, saved_at = ?, expires_at = ?, state = {state}
WHERE namespace = ? AND thread_id = ? AND latest = 0 AND version = ?

-- name: supersede
-- Makes the present latest version an older one.
UPDATE {table} SET latest = 0 WHERE key = ?1

-- name: trim
-- Drops the older versions below a version.
DELETE FROM {table} WHERE namespace = ?1 AND thread_id = ?2 AND latest = 0 AND version < ?3

-- name: delete
-- Drops the latest version.
DELETE FROM {table} WHERE namespace = ?1 AND thread_id = ?2 AND latest = 1

-- name: rewrite
-- Replaces the state of a version.
UPDATE {table} SET encoding = ?, size = ?, state = {state} WHERE key = ?

-- name: describe
-- Replaces what a row says of a payload that {chains} has.
UPDATE {table} SET encoding = ?, size = ? WHERE key = ?

-- name: link
-- Lets {chains} have the payload of a row, which is whole.
UPDATE {table} SET encoding = ?, size = ?, state = 0 WHERE key = ?

-- name: older_base
SELECT {base} FROM {table} AS t WHERE namespace = ?1 AND thread_id = ?2 AND latest = 0 AND version = ?3

-- name: digest
SELECT digest FROM {chains} WHERE namespace = ?1 AND thread_id = ?2 AND version = ?3 AND id = ?4

-- name: insert_chain
-- A row that is there belongs to no version any more: a program that knows no chains has
-- replaced its thread.
INSERT OR REPLACE INTO {chains} (version, id, base, encoding, digest, payload, namespace, thread_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: recycle_chain
-- Writes a version over one that goes.
UPDATE OR REPLACE {chains} SET version = ?, id = ?, base = ?, encoding = ?, digest = ?, payload = ?
WHERE namespace = ? AND thread_id = ? AND version = ?

-- name: trim_chain
DELETE FROM {chains} WHERE namespace = ?1 AND thread_id = ?2 AND version < ?3

-- name: rewrite_chain
UPDATE {chains} SET encoding = ?, digest = ?, payload = ? WHERE namespace = ? AND thread_id = ? AND version = ? AND id = ?

-- name: older_key
SELECT key FROM {table} WHERE namespace = ? AND thread_id = ? AND latest = 0 AND version = ? AND id = ?

-- name: load
SELECT {loaded} FROM {table} AS t
WHERE namespace = ?1 AND thread_id = ?2 AND latest = 1 AND (expires_at IS NULL OR expires_at > ?3)

-- name: load_version
SELECT {loaded} FROM {table} AS t
WHERE namespace = ?1 AND thread_id = ?2 AND latest = 1 AND (expires_at IS NULL OR expires_at > ?3) AND version = ?4
UNION ALL
SELECT {loaded} FROM {table} AS t
WHERE namespace = ?1 AND thread_id = ?2 AND latest = 0 AND version = ?4 AND EXISTS (
  SELECT 1 FROM {table} WHERE namespace = ?1 AND thread_id = ?2 AND latest = 1 AND (expires_at IS NULL OR expires_at > ?3))

-- name: links
-- The versions from ?3 to ?4, the last one without its payload, which shows that they
-- were there for it.
SELECT version, id, encoding, base, CASE WHEN version < ?4 THEN payload ELSE x'' END FROM {chains}
WHERE namespace = ?1 AND thread_id = ?2 AND version BETWEEN ?3 AND ?4 ORDER BY version

-- name: list
SELECT {columns} FROM {table} AS t
WHERE namespace = ?1 AND latest = 1 AND thread_id >= ?2 AND thread_id < ?3 AND (expires_at IS NULL OR expires_at > ?4)
ORDER BY thread_id LIMIT ?5

-- name: history
-- The third column, by which both halves are ordered, is the version.
SELECT {columns} FROM {table} AS t
WHERE namespace = ?1 AND thread_id = ?2 AND latest = 1 AND (expires_at IS NULL OR expires_at > ?3) AND version < ?4
UNION ALL
SELECT {columns} FROM {table} AS t
WHERE namespace = ?1 AND thread_id = ?2 AND latest = 0 AND version < ?4 AND EXISTS (
  SELECT 1 FROM {table} WHERE namespace = ?1 AND thread_id = ?2 AND latest = 1 AND (expires_at IS NULL OR expires_at > ?3))
ORDER BY 3 DESC LIMIT ?5

-- name: namespaces
-- One look into the index for each namespace, however many threads it has.
WITH RECURSIVE found (namespace) AS (
  SELECT min(namespace) FROM {table} WHERE latest = 1 AND namespace > ?1
  UNION ALL
  SELECT (SELECT min(namespace) FROM {table} WHERE latest = 1 AND namespace > found.namespace)
  FROM found WHERE found.namespace IS NOT NULL)
SELECT namespace FROM found WHERE namespace IS NOT NULL LIMIT ?2

-- name: purge_older
-- With purge_latest: removes the threads that expired first.
DELETE FROM {table} WHERE namespace = ?1 AND latest = 0 AND thread_id IN (
  SELECT thread_id FROM {table} WHERE namespace = ?1 AND latest = 1 AND expires_at <= ?2 ORDER BY expires_at, key LIMIT ?3)

-- name: purge_latest
DELETE FROM {table} WHERE key IN (
  SELECT key FROM {table} WHERE namespace = ?1 AND latest = 1 AND expires_at <= ?2 ORDER BY expires_at, key LIMIT ?3)

-- name: lock
-- Changes nothing, and takes the lock of a transaction that writes.
DELETE FROM {table} WHERE key = -1

-- name: tables
-- Whatever has the name of one of our tables, which SQLite compares without case: of
-- the first two, and of the third.
SELECT count(CASE WHEN lower(name) <> lower(?3) THEN 1 END), count(CASE WHEN lower(name) = lower(?3) THEN 1 END)
FROM sqlite_schema WHERE lower(name) IN (lower(?1), lower(?2), lower(?3))

-- name: version
SELECT version FROM {schema}

-- name: create_schema
-- The version of the schema of {table}, in its only row.
CREATE TABLE {schema} (version INTEGER NOT NULL)

-- name: record
INSERT INTO {schema} (rowid, version) VALUES (1, ?1) ON CONFLICT (rowid) DO UPDATE SET version = excluded.version

-- name: find
SELECT {columns} FROM {table} AS t
WHERE namespace = ?1 AND thread_id = ?2 AND latest = 1 AND (expires_at IS NULL OR expires_at > ?3) AND id = ?4
UNION ALL
SELECT {columns} FROM {table} AS t
WHERE namespace = ?1 AND thread_id = ?2 AND latest = 0 AND id = ?4 AND EXISTS (
  SELECT 1 FROM {table} WHERE namespace = ?1 AND thread_id = ?2 AND latest = 1 AND (expires_at IS NULL OR expires_at > ?3))

-- name: versions
-- Up to ?9 versions from ?4 to ?5, by the third column, with those states that
-- have no more than ?10 bytes. They belong to the life that began at ?6 and in
-- which version ?7 has the id ?8; NULL for the first page. A latest version whose
-- number is damaged is in every range, so that it is not passed over.
SELECT {columns}, key, CASE WHEN size <= ?10 THEN {payload} END FROM {table} AS t
WHERE namespace = ?1 AND thread_id = ?2 AND latest = 1 AND (expires_at IS NULL OR expires_at > ?3)
  AND (?6 IS NULL OR created_at = ?6) AND (version BETWEEN ?4 AND ?5 OR typeof(version) <> 'integer')
  AND NOT EXISTS (SELECT 1 FROM {table} WHERE namespace = ?1 AND thread_id = ?2 AND latest = 0 AND version = ?7 AND id <> ?8)
  AND NOT (?7 IS NOT NULL AND version = ?7 AND id <> ?8)
UNION ALL
SELECT {columns}, key, CASE WHEN size <= ?10 THEN {payload} END FROM {table} AS t
WHERE namespace = ?1 AND thread_id = ?2 AND latest = 0 AND version BETWEEN ?4 AND ?5
  AND EXISTS (SELECT 1 FROM {table} WHERE namespace = ?1 AND thread_id = ?2 AND latest = 1 AND (expires_at IS NULL OR expires_at > ?3)
    AND (?6 IS NULL OR created_at = ?6) AND NOT (?7 IS NOT NULL AND version = ?7 AND id <> ?8))
  AND NOT EXISTS (SELECT 1 FROM {table} WHERE namespace = ?1 AND thread_id = ?2 AND latest = 0 AND version = ?7 AND id <> ?8)
ORDER BY 3 LIMIT ?9

-- name: version_state
-- The state of a row that a page of versions has found, if it is still there.
SELECT {payload} FROM {table} AS t WHERE key = ?1 AND version = ?2 AND id = ?3

-- name: first_of_prefix
-- How many of the first threads of a range there are, how many of them are live,
-- and the last of them.
SELECT count(*), count(CASE WHEN expires_at IS NULL OR expires_at > ?4 THEN 1 END), max(thread_id) FROM (
  SELECT thread_id, expires_at FROM {table}
  WHERE namespace = ?1 AND latest = 1 AND thread_id >= ?2 AND thread_id < ?3 ORDER BY thread_id LIMIT ?5)

-- name: delete_older_of
-- With delete_latest_of: removes the threads of a range.
DELETE FROM {table} WHERE namespace = ?1 AND latest = 0 AND thread_id >= ?2 AND thread_id <= ?3

-- name: delete_latest_of
DELETE FROM {table} WHERE namespace = ?1 AND latest = 1 AND thread_id >= ?2 AND thread_id <= ?3
