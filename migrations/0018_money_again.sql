-- A payment that did not pay its order (one that does not fit, a second one) goes back whole. Such a refund names the
-- payment and its currency, and is no part of what was given back of the order.
ALTER TABLE refunds ADD COLUMN payment_id text, ADD COLUMN currency text;
CREATE INDEX refunds_payment ON refunds (payment_id) WHERE payment_id IS NOT NULL;

-- What came is written with the flag, so that a person's "give it back" knows each payment.
UPDATE order_events SET detail = detail || jsonb_build_object(
    'came', CAST(split_part(detail ->> 'why', ' ', 1) AS bigint), 'currency', split_part(detail ->> 'why', ' ', 2))
WHERE kind = 'flagged' AND detail ->> 'why' ~ '^[0-9]+ [A-Z]+ came for ';

-- What the jobs of before had not given back yet; what went back meanwhile is found out at Stripe.
INSERT INTO refunds (public_id, order_id, amount_minor, reason, state, payment_id, currency, created_at)
SELECT substr(md5(random()::text || f.id), 1, 16), f.order_id, CAST(f.detail ->> 'came' AS bigint), 'rejected', 'pending',
       f.detail ->> 'payment', f.detail ->> 'currency', f.created_at
FROM order_events f
WHERE f.kind = 'flagged' AND f.detail ->> 'payment' <> '' AND CAST(f.detail ->> 'came' AS bigint) > 0
  AND EXISTS (SELECT 1 FROM order_events r WHERE r.order_id = f.order_id AND r.kind = 'rejected'
                AND r.detail ->> 'payment' = f.detail ->> 'payment')
  AND NOT EXISTS (SELECT 1 FROM order_events b WHERE b.order_id = f.order_id AND b.kind = 'rejected_given_back')
UNION ALL
SELECT substr(md5(random()::text || a.id), 1, 16), a.order_id, CAST(a.detail ->> 'amount' AS bigint), 'paid again', 'pending',
       a.detail ->> 'told_by', o.currency, a.created_at
FROM order_events a JOIN orders o ON o.id = a.order_id
WHERE a.kind = 'paid_again' AND CAST(a.detail ->> 'amount' AS bigint) > 0
  AND NOT EXISTS (SELECT 1 FROM order_events b WHERE b.order_id = a.order_id AND b.kind = 'second_given_back'
                    AND b.detail ->> 'told_by' = a.detail ->> 'told_by');
DELETE FROM pgqueuer WHERE entrypoint IN ('commerce.give_back_rejected', 'commerce.give_back_second_payment');

-- A day is [its first moment, the first moment of the next day), worked out in one place (clock.day_start) and written
-- with the figures. Where clocks fall back over midnight, two ways to work it out gave two days.
DELETE FROM day_figures;
DELETE FROM learner_counts;
ALTER TABLE day_figures
    ADD COLUMN since timestamptz NOT NULL,
    ADD COLUMN until timestamptz NOT NULL,
    -- Set while the row only holds a place: its figures are being added up. A change of the day takes that away too.
    ADD COLUMN draft text;
ALTER TABLE learner_counts ADD COLUMN draft text;

CREATE OR REPLACE FUNCTION forget_day(happened timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(5230115);
    DELETE FROM day_figures
    WHERE on_date BETWEEN CAST(happened AS date) - 2 AND CAST(happened AS date) + 2
      AND since <= happened AND happened < until;
END $$;

-- Guests' carts that were merged into a member's a moment ago, by their hashed cookie: a click that was under way
-- meanwhile goes where the cart went. May be lost with a crash.
CREATE UNLOGGED TABLE merged_carts (
    token_hash bytea PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    merged_at timestamptz NOT NULL
);
CREATE INDEX merged_carts_user ON merged_carts (user_id);
CREATE INDEX merged_carts_age ON merged_carts (merged_at);
