-- A school that is large enough to tell a bounded reading from a whole one; nothing in it is meant to be looked at.
SET session_replication_role = replica;

INSERT INTO users (public_id, email, name, role, state, email_verified_at, created_at, last_seen_at)
SELECT 'u' || n, 'p' || n || '@example.org',
       (ARRAY['Anna', 'Ben', 'Cleo', 'Dora', 'Emil', 'Finn', 'Greta', 'Hugo', 'Ida', 'Jon'])[1 + n % 10] || ' '
       || (ARRAY['Abel', 'Berg', 'Cruz', 'Dahl', 'Eder', 'Falk', 'Gold', 'Haas', 'Iten', 'Jung', 'Kern'])[1 + n % 11]
       || (n % 97), 'member', CASE WHEN n % 700 = 0 THEN 'suspended' WHEN n % 700 = 1 THEN 'merged' ELSE 'active' END,
       CASE WHEN abs(hashint4(n)) % 40 > 0 THEN now() END, now() - (12000 - n) * interval '53 minutes',
       CASE WHEN n % 9 > 0 THEN now() - (n * 7919 % 12000) * interval '40 minutes' END
FROM generate_series(1, 12000) n;

-- One tag that few have, one that most have; a second step of one in fifty.
INSERT INTO tags (public_id, name, created_at) VALUES ('press', 'Press', now()), ('most', 'Most', now());
INSERT INTO user_tags (user_id, tag_id)
SELECT u.id, t.id FROM users u, tags t
WHERE u.role = 'member' AND (t.public_id = 'most' OR t.public_id = 'press' AND abs(hashint8(u.id)) % 7 = 0);
INSERT INTO mfa_secrets (user_id, sealed_secret, created_at, last_step)
SELECT id, '', now(), 0 FROM users WHERE role = 'member' AND abs(hashint8(id)) % 50 = 0;

INSERT INTO orders (public_id, user_id, email, name, state, currency, subtotal_minor, tax_minor, total_minor, quote_key,
                    created_at, paid_at)
SELECT 'o' || n.n, u.id, u.email, u.name,
       (ARRAY['paid', 'paid', 'paid', 'paid', 'paid', 'paid', 'paid', 'paid', 'paid', 'paid', 'paid', 'paid', 'paid',
              'paid', 'paid', 'paid', 'refunded', 'failed', 'expired', 'partially_refunded'])[1 + n.dice % 20], 'EUR',
       1000 * (n.dice / 20 % 7), 0, 1000 * (n.dice / 20 % 7), 'q' || n.n, now() - (24000 - n.n) * interval '22 minutes',
       CASE WHEN n.dice % 20 NOT IN (17, 18) THEN now() - (24000 - n.n) * interval '22 minutes' END
FROM (SELECT n, abs(hashint4(n)) AS dice FROM generate_series(1, 24000) n) n
JOIN users u ON u.public_id = 'u' || (1 + n.n * 31 % 12000);

INSERT INTO order_items (order_id, product_id, title, amount_minor, tax_minor)
SELECT o.id, p.id, p.title, o.total_minor, 0 FROM orders o, products p WHERE abs(hashint8(o.id)) % 6 = 0;

INSERT INTO learners (user_id, last_on, days)
SELECT id, CAST(now() AS date) - CAST(id * 31 % 400 AS int), 1 + id % 30 FROM users WHERE role = 'member';
INSERT INTO learner_days (on_date, user_id) SELECT last_on, user_id FROM learners;

INSERT INTO mails (public_id, fact, recipient, template, context, state, attempts, subject, created_at, sent_at)
SELECT 'm' || o.id, 'f' || o.id, o.email, 'commerce/order_confirmation', '{}', 'sent', 1, 'Your order ' || o.number,
       o.created_at, o.created_at
FROM orders o;
INSERT INTO webhook_events (provider, event_id, type, payload, state, attempts, received_at, handled_at)
SELECT 'stripe', 'evt_large_' || o.id, (ARRAY['checkout.session.completed', 'charge.updated'])[1 + o.id % 2], '{}',
       (ARRAY['handled', 'ignored', 'ignored'])[1 + o.id % 3], 1, o.created_at, o.created_at
FROM orders o;
INSERT INTO audit_log (actor_id, address, request_id, action, subject_type, subject_id, summary, after, created_at)
SELECT CASE WHEN o.id % 2 = 0 THEN (SELECT id FROM users WHERE public_id = 'u1')
            ELSE (SELECT id FROM users WHERE role = 'owner') END, '127.0.0.1', 'r', (ARRAY['order.receipt', 'access.grant'])[1 + o.id % 2],
       (ARRAY['order', 'entitlement'])[1 + o.id / 2 % 2], o.public_id, 'x', '{}', o.created_at
FROM orders o;
INSERT INTO pgqueuer_log (created, job_id, status, priority, entrypoint, aggregated)
SELECT o.created_at, o.id, 'successful', 0, 'core.deliver_mail', true FROM orders o;

-- What the office does: as many imports and erasures as members, fewer looks as another; what waits in the queue is short.
INSERT INTO imports (public_id, kind, state, file_name, storage_key, size_bytes, encoding, delimiter, header, samples,
                     row_count, created_at, moved_at)
SELECT 'i' || u.id, 'people', 'done', 'list.csv', 'i' || u.id, 1000, 'utf-8', ',', ARRAY['email'], '[]', 10, u.created_at,
       u.created_at
FROM users u;
INSERT INTO erasures (public_id, user_id, asked_by, state, asked_at, due_at)
SELECT 'e' || u.id, u.id, u.id, (ARRAY['done', 'done', 'cancelled'])[1 + u.id % 3], u.created_at,
       u.created_at + interval '7 days'
FROM users u;
INSERT INTO impersonations (public_id, actor_id, subject_id, reason, started_at, ends_at, ended_at, visits)
SELECT 'l' || u.id, (SELECT id FROM users WHERE role = 'owner'), u.id, 'x', u.created_at, u.created_at, u.created_at, u.id % 20
FROM users u WHERE u.id % 4 = 0;
INSERT INTO pgqueuer (priority, execute_after, status, entrypoint)
SELECT 0, now() + interval '1 day', CAST(CASE WHEN u.id % 2 = 0 THEN 'failed' ELSE 'queued' END AS pgqueuer_status),
       'core.deliver_mail'
FROM users u WHERE u.id % 10 = 0;

SET session_replication_role = DEFAULT;
-- Of every row, so that the plans are the same each time.
SET default_statistics_target = 1000;
ANALYZE;
RESET default_statistics_target;
