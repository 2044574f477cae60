-- no transaction
-- Each list of the office finds its first page, its order and its words by an index, however long it is.

CREATE INDEX CONCURRENTLY IF NOT EXISTS users_words ON users USING gin (search_words(name || ' ' || email)) WITH (gin_pending_list_limit = 256);
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_words ON orders USING gin (search_words(name || ' ' || email || ' ' || CAST(number AS text))) WITH (gin_pending_list_limit = 256);
CREATE INDEX CONCURRENTLY IF NOT EXISTS mails_words ON mails USING gin (search_words(recipient || ' ' || coalesce(subject, ''))) WITH (gin_pending_list_limit = 256);
CREATE INDEX CONCURRENTLY IF NOT EXISTS webhook_events_words ON webhook_events USING gin (search_words(type || ' ' || event_id)) WITH (gin_pending_list_limit = 256);
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_log_words ON audit_log USING gin (search_words(subject_id || ' ' || subject_type || ' ' || action || ' ' || summary)) WITH (gin_pending_list_limit = 256);

CREATE INDEX CONCURRENTLY IF NOT EXISTS users_seen_first ON users (last_seen_at DESC NULLS LAST, id DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_seen_last ON users (last_seen_at, id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_suspended ON users (created_at DESC, id DESC) WHERE state = 'suspended';
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_customer ON orders (lower(coalesce(nullif(name, ''), email)), id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_refunded ON orders (created_at DESC, id DESC) WHERE state IN ('refunded', 'partially_refunded');
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_given_up ON orders (created_at DESC, id DESC) WHERE state IN ('expired', 'cancelled');
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_free ON orders (created_at DESC, id DESC) WHERE total_minor = 0;
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_currency ON orders (currency, paid_at) WHERE paid_at IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS mails_recipient ON mails (lower(recipient), id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS mails_template ON mails (template, created_at DESC, id DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS webhook_events_type ON webhook_events (type, id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_log_actor_newest ON audit_log (actor_id, created_at DESC, id DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS pgqueuer_log_ended ON pgqueuer_log (created DESC, id DESC) WHERE status NOT IN ('queued', 'picked');
CREATE INDEX CONCURRENTLY IF NOT EXISTS pgqueuer_log_ended_job ON pgqueuer_log (entrypoint, created DESC, id DESC) WHERE status NOT IN ('queued', 'picked');

-- Each visit writes last_seen_at; without it in the index the session's row changes in place.
CREATE INDEX CONCURRENTLY IF NOT EXISTS sessions_of_user ON sessions (user_id);
DROP INDEX CONCURRENTLY IF EXISTS sessions_user;
