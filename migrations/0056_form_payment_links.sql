-- A mailed link to pay for an entry, and what is sold out told without looking at entries (owned by app/formbuilder).

-- Let out of quarantine, an entry is still to be paid for: until then the link that was mailed opens a payment page.
ALTER TABLE form_entries ADD COLUMN pay_until timestamptz;

-- Whether the entry still takes what it took: spam, what was refused and what was thrown away takes nothing. Kept here, so that
-- a public page that says what is sold out is drawn from a table that is written only when something is taken or freed.
ALTER TABLE form_stock ADD COLUMN is_held boolean NOT NULL DEFAULT true;
UPDATE form_stock s SET is_held = false FROM form_entries e WHERE e.id = s.entry_id AND e.state IN ('spam', 'refused', 'binned');

CREATE FUNCTION keep_form_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE form_stock SET is_held = NEW.state NOT IN ('spam', 'refused', 'binned') WHERE entry_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER keep_form_stock AFTER UPDATE OF state ON form_entries FOR EACH ROW
    WHEN ((OLD.state IN ('spam', 'refused', 'binned')) <> (NEW.state IN ('spam', 'refused', 'binned')))
    EXECUTE FUNCTION keep_form_stock();

-- For each row: most entries take nothing, and what takes nothing changes no page.
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE ON form_stock
    FOR EACH ROW EXECUTE FUNCTION announce_change();
CREATE TRIGGER announce_emptying AFTER TRUNCATE ON form_stock
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change();
