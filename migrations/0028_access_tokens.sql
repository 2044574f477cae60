-- Keys with which programs of a person reach /api. Owned by app/accounts.

CREATE TABLE access_tokens (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Comes with the form, so that the same form makes one token, however often it is sent.
    public_id text NOT NULL UNIQUE,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    name text NOT NULL CHECK (btrim(name) <> ''),
    token_hash bytea NOT NULL UNIQUE,
    -- Its last four letters, by which somebody knows it again.
    ending text NOT NULL,
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
    -- Made in a session that had seen a second factor; without one the rights of some roles sleep.
    second_factor boolean NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at),
    last_used_at timestamptz,
    last_address text
);
CREATE INDEX access_tokens_user ON access_tokens (user_id);
CREATE INDEX access_tokens_expiry ON access_tokens (expires_at);

-- Whoever is suspended loses them for good, whatever suspends: let in again, they make new ones.
CREATE FUNCTION end_access_tokens() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM access_tokens WHERE user_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER users_end_access_tokens AFTER UPDATE OF state ON users FOR EACH ROW
    WHEN (NEW.state <> 'active' AND OLD.state = 'active')
    EXECUTE FUNCTION end_access_tokens();
