-- Refunds and orders that wait are looked at in turn: the longest unlooked-at first, so that many slow ones hold up nobody.

ALTER TABLE refunds ADD COLUMN looked_at timestamptz;
ALTER TABLE orders ADD COLUMN looked_at timestamptz;

-- Forms that make something, sent a moment ago: the same one sent twice (a double click) makes it once. Owned by
-- app/core; may be lost with a crash.
CREATE UNLOGGED TABLE submissions (
    key bytea PRIMARY KEY,
    -- Where the first one led, once it is done.
    location text,
    created_at timestamptz NOT NULL
);
