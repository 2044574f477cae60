-- no transaction
-- What one person did to one kind of thing, newest first: few of very many acts.
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_log_subject_actor ON audit_log (subject_type, actor_id, created_at DESC, id DESC);
