-- Where a session began, passwords that must be changed, and changes of an address. Owned by app/accounts.

ALTER TABLE sessions
    -- What the proxy in front said (ISO 3166-1, two letters); '' when nobody said.
    ADD COLUMN country text NOT NULL DEFAULT '';

ALTER TABLE users
    -- Since when the person has to choose a new password before going on; NULL when there is no need.
    ADD COLUMN password_change_required_at timestamptz;

-- The code says which kinds of links there are and how long each works (app/accounts/links.py).
ALTER TABLE one_time_tokens DROP CONSTRAINT IF EXISTS one_time_tokens_purpose_check;
ALTER TABLE one_time_tokens ADD CONSTRAINT one_time_tokens_purpose_check CHECK (purpose ~ '^[a-z_]+$') NOT VALID;

-- A person wants another address: both mailboxes have to agree before it is theirs.
CREATE TABLE email_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    old_email text NOT NULL,
    new_email text NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'cancelled', 'taken')),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    old_confirmed_at timestamptz,
    new_confirmed_at timestamptz,
    ended_at timestamptz,
    CHECK (state <> 'done' OR (old_confirmed_at IS NOT NULL AND new_confirmed_at IS NOT NULL))
);
-- One at a time: a second wish takes the place of the first.
CREATE UNIQUE INDEX email_changes_open ON email_changes (user_id) WHERE state = 'open';
CREATE INDEX email_changes_user ON email_changes (user_id);
CREATE INDEX email_changes_expiry ON email_changes (expires_at);
