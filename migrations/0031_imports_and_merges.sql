-- no transaction
-- Imports of many rows at once (owned by app/imports), and accounts that were merged into another one (app/accounts).

CREATE TABLE IF NOT EXISTS imports (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    kind text NOT NULL,
    -- 'storing' names bytes that may be on their way or lost; nobody sees it, and it is swept after a day.
    state text NOT NULL CHECK (state IN
        ('storing', 'ready', 'checking', 'checked', 'running', 'done', 'cancelled', 'failed')),
    file_name text NOT NULL,
    storage_key text NOT NULL UNIQUE,
    size_bytes bigint NOT NULL,
    encoding text NOT NULL,
    delimiter text NOT NULL,
    header text[] NOT NULL,
    samples jsonb NOT NULL,
    row_count integer NOT NULL,
    -- The field of each column, '' for one that is left out.
    mapping text[] NOT NULL DEFAULT '{}',
    options jsonb NOT NULL DEFAULT '{}',
    -- Rises with each trial, so that one that was begun before stops.
    attempt integer NOT NULL DEFAULT 0,
    -- The last row of the file that was dealt with, and what came of all up to it: written with what they did.
    last_row integer NOT NULL DEFAULT 0,
    counts jsonb NOT NULL DEFAULT '{}',
    refusals jsonb NOT NULL DEFAULT '[]',
    error text NOT NULL DEFAULT '',
    created_by bigint REFERENCES users ON DELETE SET NULL,
    created_at timestamptz NOT NULL,
    moved_at timestamptz NOT NULL,
    finished_at timestamptz,
    -- When the file and the outcome of each row were forgotten.
    cleared_at timestamptz
);
CREATE INDEX IF NOT EXISTS imports_newest ON imports (kind, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS imports_kept ON imports (created_at) WHERE cleared_at IS NULL;

CREATE TABLE IF NOT EXISTS import_outcomes (
    import_id bigint NOT NULL REFERENCES imports ON DELETE CASCADE,
    row_number integer NOT NULL,
    outcome text NOT NULL,
    reason text NOT NULL DEFAULT '',
    PRIMARY KEY (import_id, row_number)
);

-- Which column was what, the last time that a file had these columns.
CREATE TABLE IF NOT EXISTS import_mappings (
    kind text NOT NULL,
    columns_key bytea NOT NULL,
    mapping jsonb NOT NULL,
    used_at timestamptz NOT NULL,
    PRIMARY KEY (kind, columns_key)
);

ALTER TABLE users ADD COLUMN IF NOT EXISTS merged_into_id bigint REFERENCES users ON DELETE SET NULL;
ALTER TABLE users DROP CONSTRAINT IF EXISTS users_state_check;
ALTER TABLE users ADD CONSTRAINT users_state_check CHECK (state IN ('active', 'suspended', 'merged')) NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT users_state_check;
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_merged ON users (merged_into_id) WHERE merged_into_id IS NOT NULL;

-- An address without what many providers overlook: dots and a tag before the @, upper case.
CREATE OR REPLACE FUNCTION plain_address(email text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN replace(split_part(split_part(lower(email), '@', 1), '+', 1), '.', '') || '@'
    || replace(split_part(lower(email), '@', 2), 'googlemail.com', 'gmail.com');
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_plain_address ON users (plain_address(email));
