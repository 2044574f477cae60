-- no transaction
-- See word_beginnings: of the lists in which people's names are searched for.
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_by_beginning ON users USING gin (word_beginnings(words)) WITH (gin_pending_list_limit = 256);
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_by_beginning ON orders USING gin (word_beginnings(words)) WITH (gin_pending_list_limit = 256);
CREATE INDEX CONCURRENTLY IF NOT EXISTS mails_by_beginning ON mails USING gin (word_beginnings(words)) WITH (gin_pending_list_limit = 256);
