-- Forms: their versions, what was begun, what was answered (owned by app/formbuilder).

CREATE TABLE forms (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    slug text NOT NULL UNIQUE CHECK (slug <> ''),
    title text NOT NULL,
    -- 'open' takes answers for its live version; 'closed' says so; 'archived' is out of the way and kept.
    state text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'open', 'closed', 'archived')),
    -- What the builder shows, and what visitors answer.
    head_id bigint,
    live_id bigint,
    created_by bigint REFERENCES users ON DELETE SET NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK (state <> 'open' OR live_id IS NOT NULL)
);
CREATE INDEX forms_newest ON forms (created_at DESC, id DESC);

CREATE TABLE form_versions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    form_id bigint NOT NULL REFERENCES forms ON DELETE CASCADE,
    number integer NOT NULL,
    -- What it was made from: undo goes there, redo to its youngest child.
    parent_id bigint REFERENCES form_versions ON DELETE SET NULL,
    definition jsonb NOT NULL,
    -- What changed, in words, and of which field: edits of one person to one field within a minute are one version.
    words text NOT NULL DEFAULT '',
    subject text NOT NULL DEFAULT '',
    made_by bigint REFERENCES users ON DELETE SET NULL,
    made_at timestamptz NOT NULL,
    published_at timestamptz,
    UNIQUE (form_id, number)
);
CREATE INDEX form_versions_children ON form_versions (parent_id);
ALTER TABLE forms ADD FOREIGN KEY (head_id) REFERENCES form_versions DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE forms ADD FOREIGN KEY (live_id) REFERENCES form_versions DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE form_entries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    form_id bigint NOT NULL REFERENCES forms ON DELETE CASCADE,
    version_id bigint NOT NULL REFERENCES form_versions,
    -- Only 'received' ones leave the house: the others wait for a click in a mail, for somebody's approval or for a payment.
    state text NOT NULL CHECK (state IN
        ('received', 'unconfirmed', 'waiting', 'unpaid', 'spam', 'refused')),
    -- {field id: answer}, as the kind of each field makes it.
    answers jsonb NOT NULL,
    -- Everything that was answered as people read it, to search in.
    said text NOT NULL DEFAULT '',
    words tsvector GENERATED ALWAYS AS (search_words(said)) STORED,
    email text NOT NULL DEFAULT '',
    user_id bigint REFERENCES users ON DELETE SET NULL,
    -- One page that was opened sends one entry, however often it is sent.
    stamp bytea,
    address text NOT NULL DEFAULT '',
    user_agent text NOT NULL DEFAULT '',
    began_at timestamptz,
    created_at timestamptz NOT NULL,
    read_at timestamptz,
    is_starred boolean NOT NULL DEFAULT false,
    UNIQUE (form_id, stamp)
);
CREATE INDEX form_entries_newest ON form_entries (form_id, created_at DESC, id DESC);
CREATE INDEX form_entries_words ON form_entries USING gin (words);
CREATE INDEX form_entries_email ON form_entries (lower(email)) WHERE email <> '';
CREATE INDEX form_entries_user ON form_entries (user_id) WHERE user_id IS NOT NULL;

-- A form that was begun and can be gone on with: what was typed so far, under a token that only its browser or mail knows.
CREATE TABLE form_drafts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    form_id bigint NOT NULL REFERENCES forms ON DELETE CASCADE,
    version_id bigint NOT NULL REFERENCES form_versions,
    token_hash bytea NOT NULL UNIQUE,
    posted jsonb NOT NULL DEFAULT '{}',
    step text NOT NULL,
    email text NOT NULL DEFAULT '',
    user_id bigint REFERENCES users ON DELETE SET NULL,
    entry_id bigint REFERENCES form_entries ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX form_drafts_expired ON form_drafts (expires_at);
CREATE INDEX form_drafts_of_form ON form_drafts (form_id, updated_at DESC);

CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON forms
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change();
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON form_versions
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change();
