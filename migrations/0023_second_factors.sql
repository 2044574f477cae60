-- Second factors, and sign-ins that wait for one. Owned by app/accounts.

ALTER TABLE sessions
    -- How the person came in: password, link, passkey, google.
    ADD COLUMN method text NOT NULL DEFAULT 'password',
    -- When a second factor was last shown there; NULL when none was.
    ADD COLUMN second_factor_at timestamptz;

-- The first proof was given; the second one is asked for. The browser holds the token, the row its hash.
CREATE TABLE pending_sign_ins (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    method text NOT NULL,
    keep boolean,
    onward text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX pending_sign_ins_user ON pending_sign_ins (user_id);
CREATE INDEX pending_sign_ins_expiry ON pending_sign_ins (expires_at);

-- The key that an authenticator app shares with us (RFC 6238), encrypted: it must be read to check a code.
CREATE TABLE mfa_secrets (
    user_id bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    sealed_secret bytea NOT NULL,
    created_at timestamptz NOT NULL,
    -- The half minute of the last code that was taken: that code and older ones are refused from then on.
    last_step bigint NOT NULL
);

-- Single-use codes for somebody who lost the device.
CREATE TABLE recovery_codes (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    code_hash bytea NOT NULL,
    created_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (user_id, code_hash)
);

-- Public keys of devices that can sign for a person (WebAuthn level 3).
CREATE TABLE passkeys (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    name text NOT NULL,
    credential_id bytea NOT NULL UNIQUE,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    aaguid uuid,
    transports text[] NOT NULL DEFAULT '{}',
    is_backed_up boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz
);
CREATE INDEX passkeys_user ON passkeys (user_id);

-- Accounts elsewhere that a person signs in with: provider and the subject that it knows them by.
CREATE TABLE identities (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    provider text NOT NULL,
    subject text NOT NULL,
    email text NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    UNIQUE (provider, subject),
    UNIQUE (user_id, provider)
);
