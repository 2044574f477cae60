-- Owned by app/accounts.

CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    email text NOT NULL,
    name text NOT NULL,
    role text NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'admin', 'instructor', 'support', 'member')),
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended')),
    password_hash text,
    email_verified_at timestamptz,
    headline text NOT NULL DEFAULT '',
    biography text NOT NULL DEFAULT '',
    country text,
    time_zone text,
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz
);
CREATE UNIQUE INDEX users_email ON users (lower(email));
CREATE INDEX users_newest ON users (created_at DESC, id DESC);
CREATE INDEX users_name ON users (lower(name), id);
CREATE INDEX users_staff ON users (role) WHERE role <> 'member';

CREATE TABLE sessions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    token_hash bytea NOT NULL UNIQUE,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    -- When the password (or a link) was last shown; sensitive acts ask for a recent one.
    fresh_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    address text,
    user_agent text NOT NULL DEFAULT ''
);
CREATE INDEX sessions_user ON sessions (user_id, last_seen_at DESC);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Single-use links: verify an address, reset a password, or set the first one of an account that a purchase made.
CREATE TABLE one_time_tokens (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    purpose text NOT NULL CHECK (purpose IN ('verify_email', 'reset_password', 'set_password')),
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    email text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX one_time_tokens_user ON one_time_tokens (user_id, purpose);
CREATE INDEX one_time_tokens_expiry ON one_time_tokens (expires_at);
