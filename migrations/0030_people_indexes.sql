-- no transaction
-- Who never came, in the order of the list of people.
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_never_seen ON users (created_at DESC, id DESC) WHERE last_seen_at IS NULL;
