-- no transaction
-- Who was merged, in the order of the list of people. And what a list is filtered by stands in the index of its order:
-- a walk along it passes what does not fit without a look at the row. No row has one index more for that.
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_merged_newest ON users (created_at DESC, id DESC) WHERE state = 'merged';
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_newest_seen ON users (created_at DESC, id DESC, last_seen_at);
DROP INDEX CONCURRENTLY IF EXISTS users_newest;
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_seen_last_joined ON users (last_seen_at, id, created_at);
DROP INDEX CONCURRENTLY IF EXISTS users_seen_last;
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_seen_first_joined ON users (last_seen_at DESC NULLS LAST, id DESC, created_at);
DROP INDEX CONCURRENTLY IF EXISTS users_seen_first;
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_total_placed ON orders (total_minor, id, created_at);
DROP INDEX CONCURRENTLY IF EXISTS orders_total;
CREATE INDEX CONCURRENTLY IF NOT EXISTS webhook_events_type_received ON webhook_events (type, id, received_at);
DROP INDEX CONCURRENTLY IF EXISTS webhook_events_type;
-- Kinds of deliveries have all to do with their states: those of one state are walked along by themselves.
CREATE INDEX CONCURRENTLY IF NOT EXISTS webhook_events_state_type ON webhook_events (state, type, id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS erasures_state ON erasures (state, asked_at DESC, id DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS erasures_by_due ON erasures (due_at, id);
