-- Refunds and orders that wait are looked at in turn: the longest unlooked-at first, so that many slow ones hold up nobody.

ALTER TABLE refunds ADD COLUMN looked_at timestamptz;
ALTER TABLE orders ADD COLUMN looked_at timestamptz;
