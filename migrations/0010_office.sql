-- What the back office asks on every page or lists; the tables belong to others.

CREATE INDEX webhook_events_failed ON webhook_events (id) WHERE state = 'failed';
CREATE INDEX webhook_events_waiting ON webhook_events (received_at) WHERE state = 'received';
CREATE INDEX mails_failed ON mails (id) WHERE state = 'failed';
CREATE INDEX refunds_open ON refunds (created_at) WHERE state IN ('pending', 'failed');
CREATE INDEX orders_flagged ON orders (id) WHERE flag <> '';
CREATE INDEX pgqueuer_failed ON pgqueuer (id) WHERE status = 'failed';
CREATE INDEX users_unverified ON users (id) WHERE email_verified_at IS NULL;
CREATE INDEX audit_log_action ON audit_log (action, id DESC);
CREATE INDEX learner_days_user ON learner_days (user_id, on_date);
