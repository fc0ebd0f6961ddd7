-- What the driver makes in the database. Words in braces are names that have
-- been quoted: {table} {history} {chains} {save} with their schema, {expiry}
-- {key} {reader} without; {body} is a dollar quote that none of them contains, and
-- {name} is the table's name as a text.

-- name: tables
CREATE TABLE {table} (
	thread_id  TEXT COLLATE "C" NOT NULL,
	state      JSONB NOT NULL,                        -- null where payload holds the state
	created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),    -- of the thread's present life
	updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),    -- of this version
	namespace  TEXT COLLATE "C" NOT NULL DEFAULT 'agents',
	version    BIGINT NOT NULL DEFAULT 1,
	oldest     BIGINT NOT NULL DEFAULT 1,             -- lower versions are in the history, down to this one
	id         TEXT,                                  -- NULL: written by another program
	payload    BYTEA,                                 -- what JSONB cannot hold; of no bytes, and state the base, where the table of chains has it
	encoding   TEXT NOT NULL DEFAULT 'json',
	size       INTEGER,
	metadata   JSONB,
	expires_at TIMESTAMPTZ,
	PRIMARY KEY (namespace, thread_id)
);
CREATE INDEX {expiry} ON {table} (namespace, expires_at) WHERE expires_at IS NOT NULL;

-- name: takeover-columns
ALTER TABLE {table}
	ADD COLUMN namespace  TEXT COLLATE "C" NOT NULL DEFAULT 'agents',
	ADD COLUMN version    BIGINT NOT NULL DEFAULT 1,
	ADD COLUMN oldest     BIGINT NOT NULL DEFAULT 1,
	ADD COLUMN id         TEXT,
	ADD COLUMN payload    BYTEA,
	ADD COLUMN encoding   TEXT NOT NULL DEFAULT 'json',
	ADD COLUMN size       INTEGER,
	ADD COLUMN metadata   JSONB,
	ADD COLUMN expires_at TIMESTAMPTZ;

-- name: takeover-indexes
CREATE UNIQUE INDEX {key} ON {table} (namespace, thread_id COLLATE "C");
CREATE INDEX {reader} ON {table} (thread_id COLLATE "C");
CREATE INDEX {expiry} ON {table} (namespace, expires_at) WHERE expires_at IS NOT NULL;

-- name: takeover-key
ALTER TABLE {table} DROP CONSTRAINT {pkey};
ALTER TABLE {table} ALTER COLUMN thread_id TYPE TEXT COLLATE "C";
ALTER TABLE {table} ADD CONSTRAINT {pkey} PRIMARY KEY USING INDEX {key};

-- name: history
CREATE TABLE {history} (
	namespace  TEXT COLLATE "C" NOT NULL,
	thread_id  TEXT COLLATE "C" NOT NULL,
	version    BIGINT NOT NULL,
	id         TEXT NOT NULL,
	state      JSONB NOT NULL,
	payload    BYTEA,
	encoding   TEXT NOT NULL,
	size       INTEGER NOT NULL,
	metadata   JSONB,
	created_at TIMESTAMPTZ NOT NULL,
	updated_at TIMESTAMPTZ NOT NULL,
	expires_at TIMESTAMPTZ,
	PRIMARY KEY (namespace, thread_id, version),
	FOREIGN KEY (namespace, thread_id) REFERENCES {table} (namespace, thread_id) ON DELETE CASCADE
);
CREATE INDEX ON {history} (namespace, thread_id, id);
COMMENT ON TABLE {history} IS {mark};

-- name: chains
-- The payloads of the versions that have a digest, which patches can be made against,
-- and of those that are needed by one of them. Who may use the history may use it too.
CREATE TABLE {chains} (
	namespace  TEXT COLLATE "C" NOT NULL,
	thread_id  TEXT COLLATE "C" NOT NULL,
	version    BIGINT NOT NULL,
	id         TEXT NOT NULL,
	base       BIGINT NOT NULL, -- 0 where it is whole
	encoding   TEXT NOT NULL,
	digest     TEXT NOT NULL,
	payload    BYTEA NOT NULL,
	PRIMARY KEY (namespace, thread_id, version),
	FOREIGN KEY (namespace, thread_id) REFERENCES {table} (namespace, thread_id) ON DELETE CASCADE
);
DO {body}
DECLARE
	g record;
BEGIN
	FOR g IN
		SELECT a.privilege_type AS what, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END AS who
		FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
		WHERE c.oid = {history_name}::regclass AND a.grantee <> c.relowner AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
			AND (a.grantee = 0 OR r.rolname IS NOT NULL)
	LOOP
		EXECUTE 'GRANT ' || g.what || ' ON ' || {chains_name} || ' TO ' || g.who;
	END LOOP;
END {body};

-- name: compression
DO {body}
BEGIN
	IF EXISTS (SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) THEN
		ALTER TABLE {table} ALTER COLUMN state SET COMPRESSION lz4, ALTER COLUMN payload SET COMPRESSION lz4;
		ALTER TABLE {history} ALTER COLUMN state SET COMPRESSION lz4, ALTER COLUMN payload SET COMPRESSION lz4;
		ALTER TABLE {chains} ALTER COLUMN payload SET COMPRESSION lz4;
	END IF;
END {body};

-- name: function
-- Saves one checkpoint, in one statement and one round trip. Each statement in a
-- function sees what was committed before it began, so everything that follows
-- the lock on the thread's row decides on the newest state of the thread and its
-- history.
--
-- The body names the tables with the schema that it was made for, and does not
-- follow when a schema or a table is renamed, or restored elsewhere: what it finds
-- by that name has to be what the caller finds by its own.
CREATE OR REPLACE FUNCTION {save}(
	p_namespace text, p_thread text, p_id text, p_state text, p_payload bytea, p_size integer, p_encoding text,
	p_metadata text, p_now timestamptz, p_saved timestamptz, p_expires timestamptz, p_keep bigint,
	p_absent boolean, p_exists boolean, p_match text, p_at bigint, -- the condition of a save, one of them at most
	p_version bigint, p_created timestamptz,                       -- given by an import, NULL for a save
	p_digest text, p_base bigint, p_link bytea,                    -- the payload, if the table of chains is to have it, and then p_state is the base
	p_previous text, p_proof text,                                 -- id and digest of what a patch was made against
	p_table oid,                                                   -- the table that the caller means
	OUT r_outcome text, OUT r_thread text, OUT r_id text, OUT r_version bigint, OUT r_size integer, OUT r_encoding text,
	OUT r_metadata jsonb, OUT r_created timestamptz, OUT r_saved timestamptz, OUT r_expires timestamptz, OUT r_base bigint
) LANGUAGE plpgsql VOLATILE AS {body}
DECLARE
	c record;     -- the thread as it is
	live boolean; -- and whether it has not expired
	kept bigint;  -- the oldest version that is kept from now on
	goes_on boolean;                -- whether this version follows the latest one
	unlinked boolean := false;      -- whether a version is dropped whose payload is in the table of chains
	needed bigint;                  -- the lowest version that stays in it, as a base
BEGIN
	IF to_regclass({name})::oid IS DISTINCT FROM p_table THEN
		r_outcome := 'moved';
		RETURN;
	END IF;
	r_thread := p_thread;
	r_outcome := 'saved';

	LOOP
		SELECT {id} AS id, t.version, t.oldest, {size} AS size, t.encoding, t.metadata, {created} AS created_at, {saved} AS updated_at, {expires} AS expires_at, {base} AS base INTO c
		FROM {table} t WHERE t.namespace = p_namespace AND t.thread_id = p_thread
		FOR NO KEY UPDATE;
		EXIT WHEN FOUND;
		IF p_exists OR p_match IS NOT NULL OR p_at IS NOT NULL THEN
			r_outcome := 'absent';
			RETURN;
		ELSIF p_base > 0 THEN
			r_outcome := 'base';
			RETURN;
		END IF;
		r_version := coalesce(p_version, 1);
		r_created := coalesce(p_created, p_now);
		INSERT INTO {table}
			(namespace, thread_id, version, oldest, id, state, payload, size, encoding, metadata, created_at, updated_at, expires_at)
		VALUES (p_namespace, p_thread, r_version, r_version, p_id, p_state::jsonb, p_payload, p_size, p_encoding, p_metadata::jsonb,
			r_created, p_saved, p_expires)
		ON CONFLICT (namespace, thread_id) DO NOTHING;
		IF FOUND THEN
			IF p_digest IS NOT NULL THEN
				INSERT INTO {chains} (namespace, thread_id, version, id, base, encoding, digest, payload)
				VALUES (p_namespace, p_thread, r_version, p_id, p_base, p_encoding, p_digest, p_link);
			END IF;
			RETURN;
		END IF; -- another save has made the thread meanwhile
	END LOOP;
	live := c.expires_at IS NULL OR c.expires_at > p_now;

	-- What is there already is no conflict.
	IF live AND c.id = p_id AND (p_version IS NULL OR p_version = c.version) THEN
		r_outcome := 'known';
	ELSIF live AND c.oldest < c.version THEN
		SELECT h.id, h.version, h.size, h.encoding, h.metadata, h.created_at, h.updated_at, h.expires_at, coalesce({old_base}, 0)
		INTO r_id, r_version, r_size, r_encoding, r_metadata, r_created, r_saved, r_expires, r_base
		FROM {history} h
		WHERE h.namespace = p_namespace AND h.thread_id = p_thread AND h.id = p_id AND (p_version IS NULL OR p_version = h.version);
		IF FOUND THEN
			r_outcome := 'known';
			RETURN;
		END IF;
	END IF;
	IF r_outcome = 'saved' AND (
		live AND (p_absent OR p_version <= c.version)
		OR NOT live AND (p_exists OR p_match IS NOT NULL OR p_at IS NOT NULL)
		OR c.id <> p_match OR c.version <> p_at
	) THEN
		r_outcome := CASE WHEN live THEN 'conflict' ELSE 'absent' END;
	END IF;
	IF r_outcome <> 'saved' THEN
		IF live THEN
			SELECT c.id, c.version, c.size, c.encoding, c.metadata, c.created_at, c.updated_at, c.expires_at, coalesce(c.base, 0)
			INTO r_id, r_version, r_size, r_encoding, r_metadata, r_created, r_saved, r_expires, r_base;
		END IF;
		RETURN;
	END IF;

	IF p_base > 0 AND (NOT live OR c.base IS NULL OR c.id <> p_previous OR p_base <> coalesce(nullif(c.base, 0), c.version) OR NOT EXISTS (
		SELECT FROM {chains} k
		WHERE k.namespace = p_namespace AND k.thread_id = p_thread AND k.version = c.version AND k.id = p_previous AND k.digest = p_proof))
	THEN
		r_outcome := 'base';
		RETURN;
	END IF;
	IF live AND p_version IS NULL AND c.version >= 9007199254740992 THEN -- driver.MaxVersion
		r_outcome := 'highest';
		RETURN;
	END IF;

	goes_on := live AND coalesce(p_version, c.version + 1) = c.version + 1;
	IF goes_on THEN
		r_version := c.version + 1;
		r_created := coalesce(p_created, c.created_at);
		kept := greatest(c.oldest, r_version - p_keep + 1);
		IF kept <= c.version THEN
			INSERT INTO {history}
				(namespace, thread_id, version, id, state, payload, size, encoding, metadata, created_at, updated_at, expires_at)
			SELECT t.namespace, t.thread_id, t.version, c.id, t.state, t.payload, c.size, t.encoding, t.metadata, c.created_at, c.updated_at, c.expires_at
			FROM {table} t WHERE t.namespace = p_namespace AND t.thread_id = p_thread;
		ELSE
			unlinked := c.base IS NOT NULL;
		END IF;
	ELSE -- nothing is kept of a life that has expired, nor of what a gap separates
		r_version := coalesce(p_version, 1);
		r_created := coalesce(p_created, p_now);
		kept := r_version;
		unlinked := c.base IS NOT NULL;
	END IF;
	IF goes_on AND c.oldest < c.version AND kept = c.oldest + 1 THEN -- one version goes, as mostly
		DELETE FROM {history} h
		WHERE h.namespace = p_namespace AND h.thread_id = p_thread AND h.version = c.oldest
		RETURNING {old_base} INTO needed;
		unlinked := needed IS NOT NULL;
	ELSIF c.oldest < c.version AND (NOT live OR kept > c.oldest) THEN
		WITH gone AS (
			DELETE FROM {history} h
			WHERE h.namespace = p_namespace AND h.thread_id = p_thread AND h.version < CASE WHEN live THEN kept ELSE c.version END
			RETURNING {old_base} AS base)
		SELECT unlinked OR count(g.base) > 0 INTO unlinked FROM gone g;
	END IF;
	IF unlinked AND NOT goes_on THEN
		DELETE FROM {chains} k WHERE k.namespace = p_namespace AND k.thread_id = p_thread;
	ELSIF unlinked THEN -- what the oldest version left builds on stays
		needed := CASE kept
			WHEN r_version THEN p_base
			WHEN c.version THEN c.base
			ELSE (SELECT {old_base} FROM {history} h WHERE h.namespace = p_namespace AND h.thread_id = p_thread AND h.version = kept)
		END;
		DELETE FROM {chains} k
		WHERE k.namespace = p_namespace AND k.thread_id = p_thread AND k.version < coalesce(nullif(needed, 0), kept);
	END IF;
	IF p_digest IS NOT NULL THEN -- a row that is there belongs to no version any more: a program that knows no chains has dropped it
		INSERT INTO {chains} (namespace, thread_id, version, id, base, encoding, digest, payload)
		VALUES (p_namespace, p_thread, r_version, p_id, p_base, p_encoding, p_digest, p_link)
		ON CONFLICT (namespace, thread_id, version) DO UPDATE SET
			id = excluded.id, base = excluded.base, encoding = excluded.encoding, digest = excluded.digest, payload = excluded.payload;
	END IF;
	UPDATE {table} t SET
		version = r_version, oldest = kept, id = p_id, state = p_state::jsonb, payload = p_payload, size = p_size,
		encoding = p_encoding, metadata = p_metadata::jsonb, created_at = r_created, updated_at = p_saved, expires_at = p_expires
	WHERE t.namespace = p_namespace AND t.thread_id = p_thread;
END {body};
