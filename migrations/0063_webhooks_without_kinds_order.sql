-- no transaction
-- Deliveries are searched by their kind and no longer put in its order: within some days that would pass all of a kind.
DROP INDEX CONCURRENTLY IF EXISTS webhook_events_type_received;
DROP INDEX CONCURRENTLY IF EXISTS webhook_events_state_type;
