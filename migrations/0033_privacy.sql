-- What people may ask of the school about themselves: everything it knows, to be forgotten, and what they agreed to.
-- Owned by app/accounts.

CREATE TABLE personal_exports (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    state text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'ready')),
    storage_key text UNIQUE,
    size_bytes bigint,
    created_at timestamptz NOT NULL,
    ready_at timestamptz,
    -- Its bytes go then.
    expires_at timestamptz
);
CREATE INDEX personal_exports_user ON personal_exports (user_id, created_at DESC);
CREATE INDEX personal_exports_expiry ON personal_exports (expires_at);

CREATE TABLE erasures (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    -- Themselves, or somebody of the office.
    asked_by bigint REFERENCES users ON DELETE SET NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'begun', 'done', 'cancelled')),
    asked_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    cancelled_at timestamptz,
    cancelled_by bigint REFERENCES users ON DELETE SET NULL,
    done_at timestamptz,
    -- While it is begun: the texts that name the person, and the steps that are done. A killed job goes on from there.
    words text[] NOT NULL DEFAULT '{}',
    steps text[] NOT NULL DEFAULT '{}',
    -- Why it did not happen when it was due, in words for the office.
    hindrance text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX erasures_open ON erasures (user_id) WHERE state IN ('waiting', 'begun');
CREATE INDEX erasures_due ON erasures (due_at) WHERE state IN ('waiting', 'begun');
CREATE INDEX erasures_newest ON erasures (asked_at DESC, id DESC);

-- The row stays, since orders and the log point at it; nothing in it tells who it was.
ALTER TABLE users ADD COLUMN erased_at timestamptz;

-- What somebody agreed to and took back, one row each time; the last one of a kind counts.
CREATE TABLE consents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- NULL for a guest until the order that `origin` names made an account.
    user_id bigint REFERENCES users ON DELETE CASCADE,
    kind text NOT NULL,
    -- The words that were read; app/accounts/consents.py has them.
    wording integer NOT NULL,
    is_given boolean NOT NULL,
    -- 'registration', 'account', 'order:<public id>', 'office', 'mail'.
    origin text NOT NULL,
    address text,
    created_at timestamptz NOT NULL
);
CREATE INDEX consents_user ON consents (user_id, kind, id DESC);
CREATE INDEX consents_origin ON consents (origin) WHERE user_id IS NULL;
