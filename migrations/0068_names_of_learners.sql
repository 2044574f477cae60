-- The list of learners is sorted by names and addresses of its own as well: hundreds that a search found had to be looked
-- up one person at a time. The triggers of 0064 keep them.
ALTER TABLE learners
    ADD COLUMN name text NOT NULL DEFAULT '',
    ADD COLUMN email text NOT NULL DEFAULT '';

-- The lock makes a change of name that is under way come first.
CREATE OR REPLACE FUNCTION learner_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT words, name, email INTO NEW.words, NEW.name, NEW.email FROM users WHERE id = NEW.user_id FOR SHARE;
    NEW.words := coalesce(NEW.words, '');
    NEW.name := coalesce(NEW.name, '');
    NEW.email := coalesce(NEW.email, '');
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION user_words_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE learners SET words = NEW.words, name = NEW.name, email = NEW.email WHERE user_id = NEW.id;
    RETURN NULL;
END $$;
DROP TRIGGER users_words_of_learner ON users;
CREATE TRIGGER users_words_of_learner AFTER UPDATE OF name, email ON users
    FOR EACH ROW WHEN ((OLD.name, OLD.email) IS DISTINCT FROM (NEW.name, NEW.email)) EXECUTE FUNCTION user_words_changed();

-- An address is words of its own, `ann.bowen7` and `ann.bowen12` share none: without the digits PostgreSQL can notice that
-- many mails go to a `bowen` (app/web/tables/commonness.py). Nothing searches by these, they are only counted.
CREATE FUNCTION word_stems(words tsvector) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL RESTRICTED STRICT COST 1000 AS $$
BEGIN
    RETURN ARRAY(SELECT DISTINCT rtrim(word, '0123456789') FROM unnest(tsvector_to_array(words)) AS word);
END $$;
CREATE STATISTICS mails_stems ON (word_stems(words)) FROM mails;
