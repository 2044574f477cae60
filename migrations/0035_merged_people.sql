-- no transaction
-- Accounts that were merged into others, in the order of the list of people.
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_merged ON users (created_at DESC, id DESC) WHERE state = 'merged';
