-- What big schools need: words to search by, and figures that are added up once.

-- The words by which a text is found: its words, the parts of addresses and names with hyphens, in lower case. A query
-- is prefixes of words: "each word that is typed must begin one of these". Cut, since a lexeme holds 2 kB at most.
-- Its cost is stated high, and it is not in SQL that would be inlined, so that the planner never reads a list's rows one
-- by one to compute it when an index knows it.
CREATE FUNCTION search_words(written text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL RESTRICTED STRICT COST 1000 AS $$
DECLARE
    short text := lower(left(written, 400));
BEGIN
    RETURN array_to_tsvector(array_remove(string_to_array(
        short || ' ' || translate(short, '@', ' ') || ' '
        || translate(short, E'@._+-/:;,()\'"#\t\n\r', '                 '), ' '), ''));
END $$;

-- Owned by app/learning, written by the trigger below: on how many days somebody learned, and when last.
CREATE TABLE learners (
    user_id bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    last_on date NOT NULL,
    days integer NOT NULL
);
CREATE INDEX learners_last ON learners (last_on, user_id);
CREATE INDEX learners_days ON learners (days, user_id);

-- Owned by app/admin, filled by its job: figures of days that are over, as the dashboard shows them in one time zone
-- and currency. A row is right or absent: whatever changes a day takes its row away in the same transaction.
CREATE TABLE day_figures (
    time_zone text NOT NULL,
    currency text NOT NULL,
    on_date date NOT NULL,
    revenue bigint NOT NULL,
    orders integer NOT NULL,
    members integer NOT NULL,
    learners integer NOT NULL,
    PRIMARY KEY (time_zone, currency, on_date)
);
-- The same for how many people learned in a stretch of days, which does not add up.
CREATE TABLE learner_counts (
    first_on date NOT NULL,
    last_on date NOT NULL,
    learners integer NOT NULL,
    PRIMARY KEY (first_on, last_on)
);

-- The lock is shared among writers; the job takes it alone, so that it never writes down a sum that a change under way
-- is about to make wrong.
CREATE FUNCTION forget_day(happened timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(5230115);
    DELETE FROM day_figures
    WHERE on_date BETWEEN CAST(happened AS date) - 1 AND CAST(happened AS date) + 1
      AND on_date = CAST(happened AT TIME ZONE time_zone AS date);
END $$;
CREATE INDEX day_figures_date ON day_figures (on_date);

CREATE FUNCTION order_changed_day() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.paid_at IS NOT NULL THEN PERFORM forget_day(OLD.paid_at); END IF;
    IF TG_OP <> 'DELETE' AND NEW.paid_at IS NOT NULL THEN PERFORM forget_day(NEW.paid_at); END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER orders_day_of_insert AFTER INSERT ON orders
    FOR EACH ROW WHEN (NEW.paid_at IS NOT NULL) EXECUTE FUNCTION order_changed_day();
CREATE TRIGGER orders_day_of_update AFTER UPDATE OF paid_at, total_minor, refunded_minor, currency ON orders
    FOR EACH ROW WHEN ((OLD.paid_at, OLD.total_minor, OLD.refunded_minor, OLD.currency)
        IS DISTINCT FROM (NEW.paid_at, NEW.total_minor, NEW.refunded_minor, NEW.currency))
    EXECUTE FUNCTION order_changed_day();
CREATE TRIGGER orders_day_of_delete AFTER DELETE ON orders
    FOR EACH ROW WHEN (OLD.paid_at IS NOT NULL) EXECUTE FUNCTION order_changed_day();

CREATE FUNCTION user_changed_day() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM forget_day(OLD.created_at); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM forget_day(NEW.created_at); END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER users_day_of_insert AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION user_changed_day();
CREATE TRIGGER users_day_of_update AFTER UPDATE OF role, created_at ON users
    FOR EACH ROW WHEN ((OLD.role, OLD.created_at) IS DISTINCT FROM (NEW.role, NEW.created_at))
    EXECUTE FUNCTION user_changed_day();
CREATE TRIGGER users_day_of_delete AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION user_changed_day();

-- Fires once a member and day: a day that is there already is not inserted.
CREATE FUNCTION learner_day_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed learner_days := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(5230115);
    DELETE FROM day_figures WHERE on_date = changed.on_date;
    DELETE FROM learner_counts WHERE changed.on_date BETWEEN first_on AND last_on;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO learners AS known (user_id, last_on, days) VALUES (changed.user_id, changed.on_date, 1)
        ON CONFLICT (user_id) DO UPDATE
        SET last_on = greatest(known.last_on, excluded.last_on), days = known.days + 1;
    ELSE
        DELETE FROM learners WHERE user_id = changed.user_id AND days = 1;
        UPDATE learners known SET days = known.days - 1,
               last_on = coalesce((SELECT max(d.on_date) FROM learner_days d WHERE d.user_id = changed.user_id),
                                  known.last_on)
        WHERE known.user_id = changed.user_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER learner_days_changed AFTER INSERT OR DELETE ON learner_days
    FOR EACH ROW EXECUTE FUNCTION learner_day_changed();
INSERT INTO learners (user_id, last_on, days)
SELECT user_id, max(on_date), count(*) FROM learner_days GROUP BY user_id;

-- Written again and again in place: room on the page for the next version, so that no index is touched.
ALTER TABLE lesson_progress SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE enrolments SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE sessions SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE users SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE orders SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE pgqueuer SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
ALTER TABLE webhook_events SET (fillfactor = 85, autovacuum_vacuum_insert_scale_factor = 0.05);
ALTER TABLE mails SET (fillfactor = 85, autovacuum_vacuum_insert_scale_factor = 0.05);
