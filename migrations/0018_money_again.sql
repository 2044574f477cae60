-- A payment that did not pay its order (one that does not fit, a second one) goes back whole. Such a refund names the
-- payment and its currency, and is no part of what was given back of the order.
ALTER TABLE refunds ADD COLUMN payment_id text, ADD COLUMN currency text;
CREATE INDEX refunds_payment ON refunds (payment_id) WHERE payment_id IS NOT NULL;

-- What came is written with the flag, so that a person's "give it back" knows each payment.
UPDATE order_events SET detail = detail || jsonb_build_object(
    'came', CAST(split_part(detail ->> 'why', ' ', 1) AS bigint), 'currency', split_part(detail ->> 'why', ' ', 2))
WHERE kind = 'flagged' AND detail ->> 'why' ~ '^[0-9]+ [A-Z]+ came for ';

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
