-- no transaction
ALTER TABLE users VALIDATE CONSTRAINT users_role_key;
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_log_address ON audit_log USING gin (search_words(coalesce(address, ''))) WITH (gin_pending_list_limit = 256);
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_log_acting_as ON audit_log (acting_as_id, created_at DESC, id DESC) WHERE acting_as_id IS NOT NULL;
