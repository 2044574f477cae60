-- no transaction
-- The words of a row are worked out when it is written, not whenever a list walks past it, and filters that lists have
-- together find their rows in the order of the list. Adding the columns writes each table once more, locked meanwhile:
-- about ten seconds for each million rows.

ALTER TABLE users ADD COLUMN IF NOT EXISTS words tsvector GENERATED ALWAYS AS (search_words(name || ' ' || email)) STORED;
ALTER TABLE orders ADD COLUMN IF NOT EXISTS words tsvector GENERATED ALWAYS AS (search_words(name || ' ' || email || ' ' || CAST(number AS text))) STORED;
ALTER TABLE mails ADD COLUMN IF NOT EXISTS words tsvector GENERATED ALWAYS AS (search_words(recipient || ' ' || coalesce(subject, ''))) STORED;
ALTER TABLE webhook_events ADD COLUMN IF NOT EXISTS words tsvector GENERATED ALWAYS AS (search_words(type || ' ' || event_id)) STORED;
ALTER TABLE audit_log ADD COLUMN IF NOT EXISTS words tsvector GENERATED ALWAYS AS (search_words(subject_id || ' ' || subject_type || ' ' || action || ' ' || summary)) STORED;
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_by_word ON users USING gin (words) WITH (gin_pending_list_limit = 256);
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_by_word ON orders USING gin (words) WITH (gin_pending_list_limit = 256);
CREATE INDEX CONCURRENTLY IF NOT EXISTS mails_by_word ON mails USING gin (words) WITH (gin_pending_list_limit = 256);
CREATE INDEX CONCURRENTLY IF NOT EXISTS webhook_events_by_word ON webhook_events USING gin (words) WITH (gin_pending_list_limit = 256);
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_log_by_word ON audit_log USING gin (words) WITH (gin_pending_list_limit = 256);
DROP INDEX CONCURRENTLY IF EXISTS users_words;
DROP INDEX CONCURRENTLY IF EXISTS orders_words;
DROP INDEX CONCURRENTLY IF EXISTS mails_words;
DROP INDEX CONCURRENTLY IF EXISTS webhook_events_words;
DROP INDEX CONCURRENTLY IF EXISTS audit_log_words;

CREATE INDEX CONCURRENTLY IF NOT EXISTS users_unverified_newest ON users (created_at DESC, id DESC) WHERE email_verified_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS users_unverified;
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_log_action_newest ON audit_log (action, created_at DESC, id DESC);
DROP INDEX CONCURRENTLY IF EXISTS audit_log_action;
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_log_subject_newest ON audit_log (subject_type, created_at DESC, id DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS order_items_product_newest ON order_items (product_id, order_id DESC);
DROP INDEX CONCURRENTLY IF EXISTS order_items_product;
