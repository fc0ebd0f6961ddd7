-- The statements of the operations, each one round trip. {table}, {history}, {chains}
-- and {save} are quoted names with their schema; {base} is the base of t, NULL where
-- {chains} does not have its payload, and {link} the columns of a row of it that goes
-- with t; {info} are the columns
-- of sqlstore.Row read from t, {id} and {size} those that a row written by
-- another program leaves empty; {live} says that t has not expired at $3; {name}
-- is the table's name as a text; {simple} and {kept} are the parts below.

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
WHERE t.oldest = t.version AND {base} IS NULL AND t.version < 9007199254740992 AND (t.id IS DISTINCT FROM $3 OR t.expires_at <= $9)
RETURNING t.version, {created}

-- name: import-new
-- An import of a thread that is not there, with its version $11 and its creation $12.
-- It returns no row, and has done nothing, where the thread is there.
INSERT INTO {table}
	(namespace, thread_id, id, state, payload, size, encoding, metadata, updated_at, expires_at, version, oldest, created_at)
VALUES ($1, $2, $3, $4::text::jsonb, $5::bytea, $6::integer, $7, $8::text::jsonb, $9::timestamptz, $10::timestamptz,
	$11::bigint, $11::bigint, $12::timestamptz)
ON CONFLICT (namespace, thread_id) DO NOTHING
RETURNING version, created_at

-- name: save-over
-- A save over the latest version under a condition, without a history: $11, that the
-- thread exists, or the id $12, or the version $13. It returns no row, and has done
-- nothing, where the condition is not met, or it is not so simple.
UPDATE {table} t SET
	version = t.version + 1, oldest = t.version + 1, id = $3, state = $4::text::jsonb, payload = $5::bytea, size = $6::integer,
	encoding = $7, metadata = $8::text::jsonb, updated_at = $9::timestamptz, expires_at = $10::timestamptz
WHERE t.namespace = $1 AND t.thread_id = $2 AND ($11::boolean OR t.id = $12::text OR t.version = $13::bigint)
	AND (t.expires_at IS NULL OR t.expires_at > $9) AND t.id <> $3
	AND t.oldest = t.version AND {base} IS NULL AND t.version < 9007199254740992
RETURNING t.version, {created}

-- name: part simple
-- Whether t can be saved with a history of $11 versions, as a statement sees it that
-- waits for other saves and does not see what they do to the history: nothing has
-- changed the row since the statement began, the id $3 is new, one version goes at
-- most, the life and the versions go on, and there are no chains.
t.xmin = (SELECT v.xmin FROM {table} v WHERE v.namespace = $1 AND v.thread_id = $2)
	AND t.id <> $3 AND NOT EXISTS (SELECT FROM {history} h WHERE h.namespace = $1 AND h.thread_id = $2 AND h.id = $3)
	AND t.version - t.oldest < $11 AND t.version < 9007199254740992 AND (t.expires_at IS NULL OR t.expires_at > $9)
	AND {base} IS NULL AND NOT EXISTS (SELECT FROM {chains} k WHERE k.namespace = $1 AND k.thread_id = $2)

-- name: part kept
-- What follows saved: the version before, which the statement still sees, gets the row
-- of the one that goes, or a new one. The id leads to that row by either index; by the
-- version alone, without statistics, the whole history would be read.
moved AS (
	UPDATE {history} h SET
		version = t.version, id = t.id, state = t.state, payload = t.payload, size = {size}, encoding = t.encoding,
		metadata = t.metadata, created_at = t.created_at, updated_at = t.updated_at, expires_at = t.expires_at
	FROM {table} t
	WHERE t.namespace = $1 AND t.thread_id = $2
		AND h.namespace = $1 AND h.thread_id = $2 AND h.version = (SELECT s.version - $11 FROM saved s) AND h.id = (
			SELECT g.id FROM {history} g
			WHERE g.namespace = $1 AND g.thread_id = $2
				AND g.version BETWEEN (SELECT s.version - $11 FROM saved s) AND (SELECT s.version - $11 FROM saved s)
			ORDER BY g.version LIMIT 1)
	RETURNING 1
), added AS (
	INSERT INTO {history}
		(namespace, thread_id, version, id, state, payload, size, encoding, metadata, created_at, updated_at, expires_at)
	SELECT t.namespace, t.thread_id, t.version, t.id, t.state, t.payload, {size}, t.encoding, t.metadata, t.created_at, t.updated_at, t.expires_at
	FROM saved s JOIN {table} t ON t.version = s.version - 1 -- and not one that was deleted meanwhile
	WHERE t.namespace = $1 AND t.thread_id = $2 AND NOT EXISTS (SELECT FROM moved)
)

-- name: save-kept
-- A save with a history and without a condition. It returns no row, and has done
-- nothing, where that is not so simple.
WITH saved AS (
	INSERT INTO {table} AS t
		(namespace, thread_id, id, state, payload, size, encoding, metadata, created_at, updated_at, expires_at)
	VALUES ($1, $2, $3, $4::text::jsonb, $5::bytea, $6::integer, $7, $8::text::jsonb, $9::timestamptz, $9::timestamptz, $10::timestamptz)
	ON CONFLICT (namespace, thread_id) DO UPDATE SET
		version = t.version + 1, oldest = greatest(t.oldest, t.version + 2 - $11::bigint),
		id = excluded.id, state = excluded.state, payload = excluded.payload, size = excluded.size,
		encoding = excluded.encoding, metadata = excluded.metadata,
		updated_at = excluded.updated_at, expires_at = excluded.expires_at
	WHERE {simple}
	RETURNING t.version, {created} AS created_at
), {kept}
SELECT s.version, s.created_at FROM saved s

-- name: save-over-kept
-- The same over the latest version, under the condition $12, $13 or $14.
WITH saved AS (
	UPDATE {table} t SET
		version = t.version + 1, oldest = greatest(t.oldest, t.version + 2 - $11::bigint),
		id = $3, state = $4::text::jsonb, payload = $5::bytea, size = $6::integer,
		encoding = $7, metadata = $8::text::jsonb, updated_at = $9::timestamptz, expires_at = $10::timestamptz
	WHERE t.namespace = $1 AND t.thread_id = $2 AND ($12::boolean OR t.id = $13::text OR t.version = $14::bigint) AND {simple}
	RETURNING t.version, {created} AS created_at
), {kept}
SELECT s.version, s.created_at FROM saved s

-- name: save
-- Every other save and import.
SELECT * FROM {save}($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
	to_regclass({name})::oid)

-- name: find
SELECT {info} FROM {table} t
WHERE t.namespace = $1 AND t.thread_id = $2 AND {live} AND {id} = $4
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
(SELECT {old}, h.payload, CASE WHEN h.payload IS NULL THEN h.state END
FROM {history} h
WHERE h.namespace = $1 AND h.thread_id = $2 AND h.version BETWEEN $4 AND $4
	AND EXISTS (SELECT FROM {table} t WHERE t.namespace = $1 AND t.thread_id = $2 AND {live})
ORDER BY h.version LIMIT 1)

-- name: load-chain
-- A row for each version that this one builds on, and for itself, where {chains} has
-- its payload; and otherwise one.
SELECT {info_once}, t.payload, CASE WHEN t.payload IS NULL THEN t.state END, k.*
FROM {table} t LEFT JOIN LATERAL ({link}) k ON true
WHERE t.namespace = $1 AND t.thread_id = $2 AND {live}

-- name: load-chain-version
SELECT {info_once}, t.payload, CASE WHEN t.payload IS NULL THEN t.state END, k.*
FROM {table} t LEFT JOIN LATERAL ({link}) k ON true
WHERE t.namespace = $1 AND t.thread_id = $2 AND {live} AND t.version = $4
UNION ALL
SELECT {old_once}, t.payload, CASE WHEN t.payload IS NULL THEN t.state END, k.*
FROM (
	SELECT h.* FROM {history} h
	WHERE h.namespace = $1 AND h.thread_id = $2 AND h.version BETWEEN $4 AND $4
		AND EXISTS (SELECT FROM {table} t WHERE t.namespace = $1 AND t.thread_id = $2 AND {live})
	ORDER BY h.version LIMIT 1
) t LEFT JOIN LATERAL ({link}) k ON true

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

-- name: versions
-- A page of the versions from $4 to $5 with their payloads: $6 of them at most, and
-- as many as have $7 bytes together, or two. It belongs to the life of the thread
-- that began at $8 and in which version $9 has the id $10; NULL on the first page.
-- Without payloads where $11 is false. The last column is the version at which the
-- range ends.
SELECT p.thread_id, p.id, p.version, p.size, p.encoding, p.metadata, p.created_at, p.updated_at, p.expires_at, p.base,
	CASE WHEN $11::boolean THEN CASE WHEN p.linked IS NULL THEN p.payload ELSE (
		SELECT k.payload FROM {chains} k WHERE k.namespace = $1 AND k.thread_id = $2 AND k.version = p.version AND k.id = p.id) END END,
	CASE WHEN $11::boolean AND p.payload IS NULL THEN p.state END, p.edge
FROM (
	SELECT v.*, row_number() OVER w AS place, sum(v.size) OVER w AS bytes
	FROM (
		SELECT {info}, t.payload, t.state, {base} AS linked, least($5::bigint, t.version) AS edge
		FROM {table} t
		WHERE {life} AND t.version BETWEEN $4::bigint AND $5::bigint
		UNION ALL
		(SELECT {old}, h.payload, h.state, {old_base}, least($5::bigint, t.version)
		FROM {history} h JOIN {table} t ON {life}
		WHERE h.namespace = $1 AND h.thread_id = $2 AND h.version BETWEEN $4::bigint AND $5::bigint
		ORDER BY h.version LIMIT $6::integer)
		ORDER BY version LIMIT $6::integer
	) v WINDOW w AS (ORDER BY v.version)
) p
WHERE p.place <= 2 OR p.bytes <= $7::bigint
ORDER BY p.version

-- name: versions-newest
-- The same, the newest first.
SELECT p.thread_id, p.id, p.version, p.size, p.encoding, p.metadata, p.created_at, p.updated_at, p.expires_at, p.base,
	CASE WHEN $11::boolean THEN CASE WHEN p.linked IS NULL THEN p.payload ELSE (
		SELECT k.payload FROM {chains} k WHERE k.namespace = $1 AND k.thread_id = $2 AND k.version = p.version AND k.id = p.id) END END,
	CASE WHEN $11::boolean AND p.payload IS NULL THEN p.state END, p.edge
FROM (
	SELECT v.*, row_number() OVER w AS place, sum(v.size) OVER w AS bytes
	FROM (
		SELECT {info}, t.payload, t.state, {base} AS linked, greatest($4::bigint, t.oldest) AS edge
		FROM {table} t
		WHERE {life} AND t.version BETWEEN $4::bigint AND $5::bigint
		UNION ALL
		(SELECT {old}, h.payload, h.state, {old_base}, greatest($4::bigint, t.oldest)
		FROM {history} h JOIN {table} t ON {life}
		WHERE h.namespace = $1 AND h.thread_id = $2 AND h.version BETWEEN $4::bigint AND $5::bigint
		ORDER BY h.version DESC LIMIT $6::integer)
		ORDER BY version DESC LIMIT $6::integer
	) v WINDOW w AS (ORDER BY v.version DESC)
) p
WHERE p.place <= 2 OR p.bytes <= $7::bigint
ORDER BY p.version DESC

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

-- name: delete-if
-- Under a condition: the thread exists and, where they are given, its latest
-- version has the id $4 and the number $5. It is decided on the row that is locked,
-- and returned for a conflict.
WITH found AS MATERIALIZED (
	SELECT {info} FROM {table} t
	WHERE t.namespace = $1 AND t.thread_id = $2 AND {live}
	FOR UPDATE
), gone AS (
	DELETE FROM {table} t USING found f
	WHERE t.namespace = $1 AND t.thread_id = $2
		AND ($4::text IS NULL OR f.id = $4::text) AND ($5::bigint IS NULL OR f.version = $5::bigint)
	RETURNING 1
)
SELECT EXISTS (SELECT FROM gone), f.* FROM found f

-- name: delete-prefix
-- The next threads from $2 to below $4: how many were live, how many there were,
-- and the last of them.
WITH chosen AS (
	SELECT t.thread_id FROM {table} t
	WHERE t.namespace = $1 AND t.thread_id >= $2 AND t.thread_id < $4
	ORDER BY t.thread_id LIMIT $5
	FOR UPDATE
), gone AS (
	DELETE FROM {table} t
	WHERE t.namespace = $1 AND t.thread_id >= $2 AND t.thread_id <= (SELECT max(c.thread_id) FROM chosen c)
	RETURNING t.thread_id, {live} AS live
)
SELECT count(*) FILTER (WHERE g.live), count(*), coalesce(max(g.thread_id), '') FROM gone g

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
-- The payload is $6 or $7, and its digest $10, NULL for none. Where {chains} has it, or
-- is to have it for its digest, the row stays, or becomes, what says so. A version that is
-- invisible is in {chains} alone. $11 is when the thread's life began, NULL for any.
WITH latest AS (
	UPDATE {table} t SET
		state = CASE WHEN {base} IS NOT NULL THEN t.state WHEN $10::text IS NOT NULL THEN '0' ELSE $6::text::jsonb END,
		payload = CASE WHEN {base} IS NOT NULL OR $10::text IS NOT NULL THEN '' ELSE $7::bytea END,
		size = $8::integer, encoding = $9::text
	WHERE t.namespace = $1 AND t.thread_id = $2 AND {live} AND ($11::timestamptz IS NULL OR {created} = $11::timestamptz) AND t.version = $4 AND {id} = $5::text
	RETURNING 1
), older AS (
	UPDATE {history} h SET
		state = CASE WHEN {old_base} IS NOT NULL THEN h.state WHEN $10::text IS NOT NULL THEN '0' ELSE $6::text::jsonb END,
		payload = CASE WHEN {old_base} IS NOT NULL OR $10::text IS NOT NULL THEN '' ELSE $7::bytea END,
		size = $8::integer, encoding = $9::text
	WHERE h.namespace = $1 AND h.thread_id = $2 AND h.version = $4 AND h.id = $5::text
		AND EXISTS (SELECT FROM {table} t WHERE t.namespace = $1 AND t.thread_id = $2 AND {live} AND ($11::timestamptz IS NULL OR {created} = $11::timestamptz))
	RETURNING 1
), linked AS (
	UPDATE {chains} k SET encoding = $9::text, digest = coalesce($10::text, ''), payload = coalesce($7::bytea, convert_to($6::text, 'UTF8'))
	WHERE k.namespace = $1 AND k.thread_id = $2 AND k.version = $4 AND k.id = $5::text AND (
		EXISTS (SELECT FROM latest) OR EXISTS (SELECT FROM older)
		OR EXISTS (SELECT FROM {table} t WHERE t.namespace = $1 AND t.thread_id = $2 AND {live} AND ($11::timestamptz IS NULL OR {created} = $11::timestamptz) AND t.oldest > $4))
	RETURNING 1
), added AS (
	INSERT INTO {chains} (namespace, thread_id, version, id, base, encoding, digest, payload)
	SELECT $1, $2, $4, $5::text, 0, $9::text, $10::text, coalesce($7::bytea, convert_to($6::text, 'UTF8'))
	WHERE $10::text IS NOT NULL AND NOT EXISTS (SELECT FROM linked) AND (EXISTS (SELECT FROM latest) OR EXISTS (SELECT FROM older))
)
SELECT greatest((SELECT count(*) FROM linked), (SELECT count(*) FROM latest) + (SELECT count(*) FROM older))

-- name: look
-- What there is by the name of the table, in one row. The catalogs
-- can be read without rights on the table.
SELECT
	pg_backend_pid(),
	current_setting('server_encoding'),
	coalesce(n.nspname, CASE WHEN {schema_name} = '' THEN current_schema() ELSE (SELECT nspname FROM pg_namespace WHERE nspname = {schema_name}) END, ''),
	coalesce(c.relkind::text, ''),
	coalesce(pg_relation_size(c.oid), 0),
	coalesce((
		SELECT string_agg(format('%s %s%s%s', a.attname, replace(format_type(a.atttypid, a.atttypmod), '"', ''),
			CASE WHEN a.attnotnull AND NOT a.atthasdef THEN ' required' ELSE '' END,
			CASE WHEN l.collname = 'C' THEN ' bytes' ELSE '' END), ';' ORDER BY a.attnum)
		FROM pg_attribute a LEFT JOIN pg_collation l ON l.oid = a.attcollation
		WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), ''),
	coalesce(k.conname, ''),
	coalesce((
		SELECT 'PRIMARY KEY (' || string_agg(a.attname, ', ' ORDER BY p.place) || ')'
		FROM unnest(k.conkey) WITH ORDINALITY p (attnum, place) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.attnum), ''),
	EXISTS (SELECT FROM pg_class i WHERE i.relnamespace = n.oid AND i.relname = {key_relation} AND i.relkind = 'i'),
	coalesce(h.relkind::text, ''),
	coalesce(chains.relkind::text, ''),
	coalesce(obj_description(h.oid, 'pg_class'), ''),
	EXISTS (SELECT FROM pg_constraint r WHERE r.conrelid = h.oid AND r.contype = 'f' AND r.confrelid = c.oid AND r.confdeltype = 'c'),
	EXISTS (SELECT FROM pg_constraint r WHERE r.conrelid = chains.oid AND r.contype = 'f' AND r.confrelid = c.oid AND r.confdeltype = 'c'),
	coalesce((
		SELECT encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex')
		FROM pg_proc p WHERE p.pronamespace = n.oid AND p.proname = {save_relation} AND p.pronargs = 24), ''),
	coalesce(row_security_active(c.oid), false) OR coalesce(row_security_active(h.oid), false) OR coalesce(row_security_active(chains.oid), false),
	NOT EXISTS (
		SELECT FROM unnest(ARRAY[c.oid, h.oid, chains.oid]) s (oid)
		WHERE row_security_active(s.oid) AND NOT EXISTS (
			SELECT FROM pg_policy y WHERE y.polrelid = s.oid
				AND CASE WHEN 0 = ANY (y.polroles) THEN true ELSE (SELECT bool_or(pg_has_role(m.role, 'USAGE')) FROM unnest(y.polroles) m (role)) END))
FROM (SELECT to_regclass({name})::oid AS oid) r
LEFT JOIN pg_class c ON c.oid = r.oid
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
LEFT JOIN pg_class h ON h.relnamespace = n.oid AND h.relname = {history_relation}
LEFT JOIN pg_class chains ON chains.relnamespace = n.oid AND chains.relname = {chains_relation}
