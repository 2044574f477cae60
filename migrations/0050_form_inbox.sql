-- What the office does with entries: where they stand, notes, history, approval, a click in a mail (owned by app/formbuilder).

ALTER TABLE form_entries
    DROP CONSTRAINT form_entries_state_check,
    -- 'binned': thrown away, and gone for good after a month.
    ADD CONSTRAINT form_entries_state_check CHECK (state IN
        ('received', 'unconfirmed', 'waiting', 'unpaid', 'spam', 'refused', 'binned')),
    -- Where it was before it was thrown away, and when it was.
    ADD COLUMN binned_from text,
    ADD COLUMN binned_at timestamptz,
    -- One of the office's own words for how far it is with it.
    ADD COLUMN status text NOT NULL DEFAULT '',
    -- When it was told that the entry counts; that is told once.
    ADD COLUMN counted_at timestamptz,
    -- The link that was mailed to whoever sent it.
    ADD COLUMN confirm_hash bytea UNIQUE,
    ADD COLUMN confirm_expires_at timestamptz,
    -- Of a form that keeps nothing: when the answers go, and that they went.
    ADD COLUMN empty_after timestamptz,
    ADD COLUMN emptied_at timestamptz;
UPDATE form_entries SET counted_at = created_at WHERE state = 'received';

CREATE INDEX form_entries_by_state ON form_entries (form_id, state, created_at DESC, id DESC);
CREATE INDEX form_entries_by_status ON form_entries (form_id, status, created_at DESC, id DESC) WHERE status <> '';
CREATE INDEX form_entries_unread ON form_entries (form_id, created_at DESC, id DESC) WHERE read_at IS NULL;
CREATE INDEX form_entries_starred ON form_entries (form_id, created_at DESC, id DESC) WHERE is_starred;
CREATE INDEX form_entries_to_empty ON form_entries (empty_after) WHERE empty_after IS NOT NULL;
CREATE INDEX form_entries_unconfirmed ON form_entries (confirm_expires_at) WHERE state = 'unconfirmed';
CREATE INDEX form_entries_binned ON form_entries (binned_at) WHERE state = 'binned';

-- What was chosen, to find entries by it in any number of them: "field=value".
CREATE TABLE form_answer_choices (
    form_id bigint NOT NULL REFERENCES forms ON DELETE CASCADE,
    choice text NOT NULL,
    created_at timestamptz NOT NULL,
    entry_id bigint NOT NULL REFERENCES form_entries ON DELETE CASCADE,
    PRIMARY KEY (form_id, choice, created_at, entry_id)
);
CREATE INDEX form_answer_choices_entry ON form_answer_choices (entry_id);

CREATE FUNCTION form_choices_of(answers jsonb) RETURNS TABLE (choice text) LANGUAGE sql IMMUTABLE AS $$
    SELECT DISTINCT a.key || '=' || left(c.value, 100)
    FROM jsonb_each(answers) a CROSS JOIN LATERAL (
        SELECT a.value ->> 'value' AS value WHERE jsonb_typeof(a.value) = 'object' AND a.value ? 'value'
        UNION ALL SELECT '__other__' WHERE jsonb_typeof(a.value) = 'object' AND a.value ? 'other'
        UNION ALL SELECT v FROM jsonb_array_elements_text(
            CASE WHEN jsonb_typeof(a.value) = 'object' AND jsonb_typeof(a.value -> 'values') = 'array'
                 THEN a.value -> 'values' ELSE '[]' END) v
    ) c WHERE c.value IS NOT NULL
$$;

CREATE FUNCTION keep_form_choices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM form_answer_choices WHERE entry_id = NEW.id;
    END IF;
    INSERT INTO form_answer_choices (form_id, choice, created_at, entry_id)
    SELECT NEW.form_id, c.choice, NEW.created_at, NEW.id FROM form_choices_of(NEW.answers) c;
    RETURN NULL;
END $$;
CREATE TRIGGER keep_form_choices AFTER INSERT ON form_entries FOR EACH ROW EXECUTE FUNCTION keep_form_choices();
CREATE TRIGGER keep_form_choices_changed AFTER UPDATE OF answers, created_at ON form_entries
    FOR EACH ROW WHEN (OLD.answers IS DISTINCT FROM NEW.answers OR OLD.created_at IS DISTINCT FROM NEW.created_at)
    EXECUTE FUNCTION keep_form_choices();
INSERT INTO form_answer_choices (form_id, choice, created_at, entry_id)
SELECT e.form_id, c.choice, e.created_at, e.id FROM form_entries e CROSS JOIN LATERAL form_choices_of(e.answers) c;

-- Notes about an entry and everything that was done with it. It goes when the entry goes; the audit log has no answers.
CREATE TABLE form_entry_acts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry_id bigint NOT NULL REFERENCES form_entries ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('note', 'edit', 'state', 'status', 'resend')),
    made_by bigint REFERENCES users ON DELETE SET NULL,
    body text NOT NULL DEFAULT '',
    -- {field id: answer} of an edit, {"state": …} of a move.
    before jsonb,
    after jsonb,
    created_at timestamptz NOT NULL
);
CREATE INDEX form_entry_acts_of_entry ON form_entry_acts (entry_id, id DESC);

-- Which questions somebody wants to see as columns of a form's inbox.
CREATE TABLE form_columns (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    form_id bigint NOT NULL REFERENCES forms ON DELETE CASCADE,
    fields text[] NOT NULL,
    PRIMARY KEY (user_id, form_id)
);
