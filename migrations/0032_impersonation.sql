-- Somebody of the school looks at it as another person. Owned by app/accounts.

CREATE TABLE impersonations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    -- The session of who really looks. It stays until they go back to themselves, also when the time is over, so that
    -- nobody goes on as themselves on a page of somebody else without having been told.
    session_id bigint REFERENCES sessions ON DELETE SET NULL,
    actor_id bigint REFERENCES users ON DELETE SET NULL,
    subject_id bigint REFERENCES users ON DELETE SET NULL,
    reason text NOT NULL,
    started_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    ended_at timestamptz,
    -- Kept with each visit, so that a list need not count.
    visits integer NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX impersonations_session ON impersonations (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX impersonations_newest ON impersonations (started_at DESC, id DESC);
CREATE INDEX impersonations_subject ON impersonations (subject_id, started_at DESC);
CREATE INDEX impersonations_actor ON impersonations (actor_id);

-- Every address that was asked for meanwhile, before it was answered. Secrets in addresses are not written down.
CREATE TABLE impersonation_visits (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    impersonation_id bigint NOT NULL REFERENCES impersonations ON DELETE CASCADE,
    method text NOT NULL,
    path text NOT NULL,
    query text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL
);
CREATE INDEX impersonation_visits_order ON impersonation_visits (impersonation_id, id DESC);
CREATE INDEX impersonation_visits_age ON impersonation_visits (created_at);

-- It ends at once, whatever code made the change: with the session of who looks, and when the role, the state, the
-- password or the address of either changes.
CREATE FUNCTION end_impersonations_of_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE impersonations SET ended_at = now() WHERE session_id = OLD.id AND ended_at IS NULL;
    RETURN OLD;
END $$;
CREATE TRIGGER sessions_end_impersonations BEFORE DELETE ON sessions
    FOR EACH ROW EXECUTE FUNCTION end_impersonations_of_session();

CREATE FUNCTION end_impersonations_of_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE impersonations SET ended_at = now() WHERE ended_at IS NULL AND (subject_id = NEW.id OR actor_id = NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER users_end_impersonations AFTER UPDATE ON users
    FOR EACH ROW WHEN ((OLD.role, OLD.state, OLD.password_hash, OLD.email) IS DISTINCT FROM (NEW.role, NEW.state, NEW.password_hash, NEW.email))
    EXECUTE FUNCTION end_impersonations_of_person();
CREATE INDEX impersonations_open ON impersonations (subject_id) WHERE ended_at IS NULL;
CREATE INDEX impersonations_open_actor ON impersonations (actor_id) WHERE ended_at IS NULL;
