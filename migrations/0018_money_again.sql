-- A payment that did not pay its order (one that does not fit, a second one) goes back whole. Such a refund names the
-- payment and its currency, and is no part of what was given back of the order.
ALTER TABLE refunds ADD COLUMN payment_id text, ADD COLUMN currency text;
CREATE INDEX refunds_payment ON refunds (payment_id) WHERE payment_id IS NOT NULL;

-- What came is written with the flag, so that a person's "give it back" knows each payment.
UPDATE order_events SET detail = detail || jsonb_build_object(
    'came', CAST(split_part(detail ->> 'why', ' ', 1) AS bigint), 'currency', split_part(detail ->> 'why', ' ', 2))
WHERE kind = 'flagged' AND detail ->> 'why' ~ '^[0-9]+ [A-Z]+ came for ';
