-- Owned by app/core: settings, mail, audit, inbound webhooks.

CREATE TABLE settings (
    name text PRIMARY KEY,
    value jsonb NOT NULL
);

CREATE TABLE mails (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    -- What the mail tells, such as 'order:12:confirmation': the same fact is mailed once.
    fact text NOT NULL UNIQUE,
    recipient text NOT NULL,
    template text NOT NULL,
    context jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    subject text,
    vendor_id text,
    error text,
    created_at timestamptz NOT NULL,
    sent_at timestamptz
);
CREATE INDEX mails_newest ON mails (created_at DESC, id DESC);
CREATE INDEX mails_unsent ON mails (state) WHERE state <> 'sent';

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    actor_id bigint,
    address text,
    request_id text,
    action text NOT NULL,
    subject_type text NOT NULL,
    subject_id text NOT NULL,
    summary text NOT NULL DEFAULT '',
    before jsonb,
    after jsonb,
    created_at timestamptz NOT NULL
);
CREATE INDEX audit_log_newest ON audit_log (created_at DESC, id DESC);
CREATE INDEX audit_log_subject ON audit_log (subject_type, subject_id, id DESC);
CREATE INDEX audit_log_actor ON audit_log (actor_id, id DESC);

-- The log is append-only, whoever asks.
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();

CREATE TABLE webhook_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    payload jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('received', 'handled', 'ignored', 'failed')),
    error text,
    attempts integer NOT NULL DEFAULT 0,
    received_at timestamptz NOT NULL,
    handled_at timestamptz,
    UNIQUE (provider, event_id)
);
CREATE INDEX webhook_events_newest ON webhook_events (received_at DESC, id DESC);
