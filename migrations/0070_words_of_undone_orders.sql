-- no transaction
-- A common name among the few orders that failed, were given up or given back: found in an index of these alone. Beside the
-- index of all orders' words, PostgreSQL would read all orders of that state as well. An order that is paid has no part in
-- them; so few are written that none need wait in a list, which each search would read.
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_failed_by_word
    ON orders USING gin (words) WITH (fastupdate = off) WHERE state = 'failed';
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_refunded_by_word
    ON orders USING gin (words) WITH (fastupdate = off) WHERE state IN ('refunded', 'partially_refunded');
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_given_up_by_word
    ON orders USING gin (words) WITH (fastupdate = off) WHERE state IN ('expired', 'cancelled');
