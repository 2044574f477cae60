-- The list of learners is searched by words of its own: those of `users` had to be looked up one learner at a time. Both
-- triggers below keep them, whoever writes.
ALTER TABLE learners ADD COLUMN words tsvector NOT NULL DEFAULT '';

-- The lock makes a change of name that is under way come first.
CREATE FUNCTION learner_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT words INTO NEW.words FROM users WHERE id = NEW.user_id FOR SHARE;
    NEW.words := coalesce(NEW.words, '');
    RETURN NEW;
END $$;
CREATE TRIGGER learners_words BEFORE INSERT ON learners FOR EACH ROW EXECUTE FUNCTION learner_begins();

CREATE FUNCTION user_words_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE learners SET words = NEW.words WHERE user_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER users_words_of_learner AFTER UPDATE OF name, email ON users
    FOR EACH ROW WHEN (OLD.words IS DISTINCT FROM NEW.words) EXECUTE FUNCTION user_words_changed();

-- As before, but who learned before is not inserted once more, which would ask for words and lock the person every day.
CREATE OR REPLACE FUNCTION learner_day_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed learner_days := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(5230115);
    DELETE FROM day_figures WHERE on_date = changed.on_date;
    DELETE FROM learner_counts WHERE changed.on_date BETWEEN first_on AND last_on;
    IF TG_OP = 'INSERT' THEN
        UPDATE learners known SET last_on = greatest(known.last_on, changed.on_date), days = known.days + 1
        WHERE known.user_id = changed.user_id;
        IF NOT FOUND THEN
            INSERT INTO learners AS known (user_id, last_on, days) VALUES (changed.user_id, changed.on_date, 1)
            ON CONFLICT (user_id) DO UPDATE
            SET last_on = greatest(known.last_on, excluded.last_on), days = known.days + 1;
        END IF;
    ELSE
        DELETE FROM learners WHERE user_id = changed.user_id AND days = 1;
        UPDATE learners known SET days = known.days - 1,
               last_on = coalesce((SELECT max(d.on_date) FROM learner_days d WHERE d.user_id = changed.user_id),
                                  known.last_on)
        WHERE known.user_id = changed.user_id;
    END IF;
    RETURN NULL;
END $$;
