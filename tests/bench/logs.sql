-- What a year of running leaves: three deliveries, two acts of the office and five done jobs an order.
INSERT INTO webhook_events (provider, event_id, type, payload, state, attempts, received_at, handled_at)
SELECT 'stripe', 'evt_' || o.id || '_' || k,
       (ARRAY['checkout.session.completed', 'payment_intent.succeeded', 'charge.updated'])[k], '{"object": "event"}',
       (ARRAY['handled', 'ignored', 'ignored'])[k], 1, o.created_at, o.created_at
FROM orders o, generate_series(1, 3) k;

INSERT INTO audit_log (actor_id, address, request_id, action, subject_type, subject_id, summary, after, created_at)
SELECT (SELECT id FROM users WHERE role = 'support' ORDER BY id LIMIT 1), '127.0.0.1', 'r',
       (ARRAY['order.receipt', 'access.grant'])[k], (ARRAY['order', 'entitlement'])[k], o.public_id, 'x', '{"a": 1}',
       o.created_at
FROM orders o, generate_series(1, 2) k;

INSERT INTO pgqueuer_log (created, job_id, status, priority, entrypoint, aggregated)
SELECT now() - random() * interval '7 days', 1000000 + o.id * 5 + k, 'successful', 0, 'core.deliver_mail', true
FROM orders o, generate_series(0, 4) k;
