-- Where forms hand their entries on to: accounts of outside services, and each entry's way there (owned by app/formbuilder).

CREATE TABLE form_connections (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    provider text NOT NULL,
    -- What the owner calls it, and what the service calls the account.
    name text NOT NULL UNIQUE CHECK (name <> ''),
    account text NOT NULL DEFAULT '',
    -- Every setting, sealed under SECRET_KEY for this connection alone.
    sealed bytea NOT NULL,
    -- 'refused': the service did not take the credentials when they were last used.
    state text NOT NULL DEFAULT 'good' CHECK (state IN ('good', 'refused')),
    -- The service asked not to be asked before.
    paused_until timestamptz,
    checked_at timestamptz,
    created_by bigint REFERENCES users ON DELETE SET NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE form_deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry_id bigint NOT NULL REFERENCES form_entries ON DELETE CASCADE,
    -- The id in the form's definition, and whose account it named then.
    integration_id text NOT NULL CHECK (integration_id <> ''),
    connection_id bigint REFERENCES form_connections ON DELETE SET NULL,
    -- 'skipped': its condition did not hold; 'held': a person has to look.
    state text NOT NULL CHECK (state IN ('waiting', 'sent', 'skipped', 'held')),
    outcome text NOT NULL DEFAULT '',
    remote_id text NOT NULL DEFAULT '',
    attempts integer NOT NULL DEFAULT 0,
    -- What was asked and answered at the last attempt, secrets masked.
    exchanges jsonb NOT NULL DEFAULT '[]',
    error text NOT NULL DEFAULT '',
    next_at timestamptz NOT NULL,
    -- Somebody is sending it, until then at the latest.
    claimed_until timestamptz,
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    UNIQUE (entry_id, integration_id)
);
CREATE INDEX form_deliveries_due ON form_deliveries (next_at) WHERE state = 'waiting';
CREATE INDEX form_deliveries_held ON form_deliveries (connection_id, id) WHERE state = 'held';
CREATE INDEX form_deliveries_newest ON form_deliveries (connection_id, created_at DESC, id DESC);
CREATE INDEX form_deliveries_told ON form_deliveries (created_at) WHERE exchanges <> '[]';
