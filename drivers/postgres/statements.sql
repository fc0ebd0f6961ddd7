-- The statements of the operations, each one round trip. {table}, {history}
-- and {save} are quoted names with their schema; {info} are the columns
-- of sqlstore.Row read from t, {id} and {size} those that a row written by
-- another program leaves empty; {live} says that t has not expired at $3.

-- name: save-plain
-- The common save, without a condition and without a history. It returns no row,
-- and has done nothing, where that is not so simple: the thread has a history
-- that is to be dropped, it knows the id, or its versions have come to an end.
INSERT INTO {table} AS t
	(namespace, thread_id, id, state, payload, size, encoding, metadata, created_at, updated_at, expires_at)
VALUES ($1, $2, $3, $4::text::jsonb, $5::bytea, $6::integer, $7, $8::text::jsonb, $9::timestamptz, $9::timestamptz, $10::timestamptz)
ON CONFLICT (namespace, thread_id) DO UPDATE SET
	version = CASE WHEN t.expires_at <= $9 THEN 1 ELSE t.version + 1 END,
	oldest = CASE WHEN t.expires_at <= $9 THEN 1 ELSE t.version + 1 END,
	created_at = CASE WHEN t.expires_at <= $9 THEN $9 ELSE t.created_at END,
	id = excluded.id, state = excluded.state, payload = excluded.payload, size = excluded.size,
	encoding = excluded.encoding, metadata = excluded.metadata,
	updated_at = excluded.updated_at, expires_at = excluded.expires_at
WHERE t.oldest = t.version AND t.version < 9007199254740992 AND (t.id IS DISTINCT FROM $3 OR t.expires_at <= $9)
RETURNING t.version, t.created_at

-- name: save
-- Every other save, and an import.
SELECT * FROM {save}($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)

-- name: known
SELECT {info} FROM {table} t
WHERE t.namespace = $1 AND t.thread_id = $2 AND {live} AND t.id = $4
UNION ALL
SELECT {old} FROM {history} h
WHERE h.namespace = $1 AND h.thread_id = $2 AND h.id = $4
	AND EXISTS (SELECT FROM {table} t WHERE t.namespace = $1 AND t.thread_id = $2 AND {live})

-- name: load
SELECT {info}, t.payload, CASE WHEN t.payload IS NULL THEN t.state END
FROM {table} t
WHERE t.namespace = $1 AND t.thread_id = $2 AND {live}

-- name: load-version
SELECT {info}, t.payload, CASE WHEN t.payload IS NULL THEN t.state END
FROM {table} t
WHERE t.namespace = $1 AND t.thread_id = $2 AND {live} AND t.version = $4
UNION ALL
SELECT {old}, h.payload, CASE WHEN h.payload IS NULL THEN h.state END
FROM {history} h
WHERE h.namespace = $1 AND h.thread_id = $2 AND h.version = $4
	AND EXISTS (SELECT FROM {table} t WHERE t.namespace = $1 AND t.thread_id = $2 AND {live})

-- name: history
SELECT * FROM (
	SELECT {info} FROM {table} t
	WHERE t.namespace = $1 AND t.thread_id = $2 AND {live} AND t.version < $4
	UNION ALL
	(SELECT {old} FROM {history} h
	WHERE h.namespace = $1 AND h.thread_id = $2 AND h.version < $4
		AND EXISTS (SELECT FROM {table} t WHERE t.namespace = $1 AND t.thread_id = $2 AND {live})
	ORDER BY h.version DESC LIMIT $5)
) v ORDER BY version DESC LIMIT $5

-- name: list
SELECT {info} FROM {table} t
WHERE t.namespace = $1 AND t.thread_id >= $2 AND {live} AND t.thread_id < $4
ORDER BY t.thread_id LIMIT $5

-- name: list-to-end
SELECT {info} FROM {table} t
WHERE t.namespace = $1 AND t.thread_id >= $2 AND {live}
ORDER BY t.thread_id LIMIT $4

-- name: namespaces
WITH RECURSIVE n (namespace) AS (
	(SELECT t.namespace FROM {table} t WHERE t.namespace > $1 ORDER BY t.namespace LIMIT 1)
	UNION ALL
	SELECT (SELECT t.namespace FROM {table} t WHERE t.namespace > n.namespace ORDER BY t.namespace LIMIT 1)
	FROM n WHERE n.namespace IS NOT NULL
)
SELECT namespace FROM n WHERE namespace IS NOT NULL LIMIT $2

-- name: delete
-- The history goes with it: ON DELETE CASCADE looks after the lock is held.
DELETE FROM {table} WHERE namespace = $1 AND thread_id = $2

-- name: purge
-- Rows that a save holds are left alone: they are about to live on.
WITH expired AS (
	SELECT t.namespace, t.thread_id FROM {table} t
	WHERE t.namespace = $1 AND t.expires_at <= $2
	ORDER BY t.expires_at LIMIT $3
	FOR UPDATE SKIP LOCKED
), gone AS (
	DELETE FROM {table} t USING expired
	WHERE t.namespace = expired.namespace AND t.thread_id = expired.thread_id AND t.expires_at <= $2
	RETURNING 1
)
SELECT count(*) FROM gone

-- name: rewrite
WITH latest AS (
	UPDATE {table} t SET state = $6::text::jsonb, payload = $7::bytea, size = $8::integer, encoding = $9::text
	WHERE t.namespace = $1 AND t.thread_id = $2 AND {live} AND t.version = $4 AND {id} = $5::text
	RETURNING 1
), older AS (
	UPDATE {history} h SET state = $6::text::jsonb, payload = $7::bytea, size = $8::integer, encoding = $9::text
	WHERE h.namespace = $1 AND h.thread_id = $2 AND h.version = $4 AND h.id = $5::text
		AND EXISTS (SELECT FROM {table} t WHERE t.namespace = $1 AND t.thread_id = $2 AND {live})
	RETURNING 1
)
SELECT (SELECT count(*) FROM latest) + (SELECT count(*) FROM older)

-- name: look
-- What there is by the name of the table, in one row. The catalogs
-- can be read without rights on the table.
SELECT
	current_setting('server_encoding'),
	coalesce(n.nspname, CASE WHEN $2::text = '' THEN current_schema() ELSE (SELECT nspname FROM pg_namespace WHERE nspname = $2::text) END, ''),
	coalesce(c.relkind::text, ''),
	coalesce(pg_relation_size(c.oid), 0),
	coalesce((
		SELECT string_agg(format('%s %s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
			CASE WHEN a.attnotnull AND NOT a.atthasdef THEN ' required' ELSE '' END,
			CASE WHEN l.collname = 'C' THEN ' bytes' ELSE '' END), ';' ORDER BY a.attnum)
		FROM pg_attribute a LEFT JOIN pg_collation l ON l.oid = a.attcollation
		WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), ''),
	coalesce(k.conname, ''),
	coalesce(pg_get_constraintdef(k.oid), ''),
	EXISTS (SELECT FROM pg_class i WHERE i.relnamespace = n.oid AND i.relname = $4::text AND i.relkind = 'i'),
	coalesce(h.relkind::text, ''),
	coalesce(obj_description(h.oid, 'pg_class'), ''),
	EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = n.oid AND p.proname = $5::text AND p.pronargs = 16)
FROM (SELECT to_regclass($1::text)::oid AS oid) r
LEFT JOIN pg_class c ON c.oid = r.oid
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
LEFT JOIN pg_class h ON h.relnamespace = n.oid AND h.relname = $3::text
