-- What a year of running leaves: three deliveries, two acts of the office and five done jobs an order; as it came, the
-- oldest first, or else the newest ids of a kind would be its oldest rows.
INSERT INTO webhook_events (provider, event_id, type, payload, state, attempts, received_at, handled_at)
SELECT 'stripe', 'evt_' || o.id || '_' || k,
       (ARRAY['checkout.session.completed', 'payment_intent.succeeded', 'charge.updated'])[k], '{"object": "event"}',
       (ARRAY['handled', 'ignored', 'ignored'])[k], 1, o.created_at, o.created_at
FROM orders o, generate_series(1, 3) k ORDER BY o.created_at, k;

INSERT INTO audit_log (actor_id, address, request_id, action, subject_type, subject_id, summary, after, created_at)
SELECT (SELECT id FROM users WHERE role = 'support' ORDER BY id LIMIT 1), '127.0.0.1', 'r',
       (ARRAY['order.receipt', 'access.grant'])[k], (ARRAY['order', 'entitlement'])[k], o.public_id, 'x', '{"a": 1}',
       o.created_at
FROM orders o, generate_series(1, 2) k ORDER BY o.created_at, k;

INSERT INTO pgqueuer_log (created, job_id, status, priority, entrypoint, aggregated)
SELECT now() - random() * interval '7 days', 1000000 + o.id * 5 + k, 'successful', 0, 'core.deliver_mail', true
FROM orders o, generate_series(0, 4) k;

-- And what people do: a note on every fifth, consents of all, a tag that most have; in the office one import, one erasure
-- and one look as another for each hundred, jobs that wait or have failed, and tokens.
INSERT INTO person_notes (public_id, user_id, author_id, body, created_at)
SELECT 'n' || u.id || '_' || k, u.id, (SELECT id FROM users WHERE role = 'owner' ORDER BY id LIMIT 1), 'Asked for a receipt.',
       u.created_at
FROM users u, generate_series(1, 3) k WHERE u.id % 5 = 0;
INSERT INTO consents (user_id, kind, wording, is_given, origin, created_at)
SELECT u.id, k, 1, true, 'registration', u.created_at FROM users u, unnest(ARRAY['marketing']) k;
INSERT INTO tags (public_id, name, created_at) VALUES ('most', 'Zealous', now());
INSERT INTO user_tags (user_id, tag_id)
SELECT u.id, t.id FROM users u, tags t WHERE t.public_id = 'most' AND u.id % 4 > 0 ON CONFLICT DO NOTHING;
INSERT INTO imports (public_id, kind, state, file_name, storage_key, size_bytes, encoding, delimiter, header, samples,
                     row_count, created_at, moved_at)
SELECT 'i' || u.id, 'people', 'done', 'list.csv', 'i' || u.id, 1000, 'utf-8', ',', ARRAY['email'], '[]', 10, u.created_at,
       u.created_at
FROM users u WHERE u.id % 100 = 0;
INSERT INTO erasures (public_id, user_id, asked_by, state, asked_at, due_at, done_at)
SELECT 'e' || u.id, u.id, u.id, CASE WHEN u.id % 3 = 0 THEN 'done' ELSE 'cancelled' END, u.created_at,
       u.created_at + interval '7 days', u.created_at + interval '7 days'
FROM users u WHERE u.id % 100 = 1;
INSERT INTO impersonations (public_id, actor_id, subject_id, reason, started_at, ends_at, ended_at, visits)
SELECT 'l' || u.id, (SELECT id FROM users WHERE role = 'owner' ORDER BY id LIMIT 1), u.id, 'Cannot see a lesson', u.created_at,
       u.created_at + interval '1 hour', u.created_at + interval '1 hour', u.id % 20
-- In a small school enough for a page, so that what a row of it costs is known.
FROM users u WHERE u.id % CASE WHEN (SELECT count(*) FROM users) < 1000 THEN 4 ELSE 100 END = 2;
INSERT INTO pgqueuer (priority, queue_manager_id, created, updated, heartbeat, execute_after, status, entrypoint, payload)
SELECT 0, NULL, now(), now(), now(), now() + interval '1 day', CASE WHEN u.id % 2 = 0 THEN 'failed' ELSE 'queued' END ::pgqueuer_status,
       'core.deliver_mail', '{}'
FROM users u WHERE u.id % CASE WHEN (SELECT count(*) FROM users) < 1000 THEN 4 ELSE 100 END = 3;
INSERT INTO access_tokens (public_id, user_id, name, token_hash, ending, scopes, second_factor, created_at, expires_at)
SELECT 't' || u.id || '_' || k, u.id, 'Script', decode(md5('token' || u.id || k), 'hex'), 'abcd', ARRAY['people.view'], true,
       now(), now() + interval '90 days'
FROM users u, generate_series(1, 2) k WHERE u.role <> 'member' OR u.id % 50 = 0;
