-- Why an entry is held back, links that the office makes, and what a form begun keeps besides what was typed.
ALTER TABLE form_entries ADD COLUMN spam_reason text NOT NULL DEFAULT '';
ALTER TABLE form_drafts ADD COLUMN mails integer NOT NULL DEFAULT 0;

-- A link may carry values that nobody can change, and may be good for one entry only.
CREATE TABLE form_links (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    form_id bigint NOT NULL REFERENCES forms ON DELETE CASCADE,
    posted jsonb NOT NULL DEFAULT '{}',
    is_single boolean NOT NULL,
    made_by bigint REFERENCES users ON DELETE SET NULL,
    made_at timestamptz NOT NULL,
    used_at timestamptz,
    -- What it was used for; gone when that is erased, and the link stays used.
    entry_id bigint REFERENCES form_entries ON DELETE SET NULL
);
CREATE INDEX form_links_of_form ON form_links (form_id, id DESC);
CREATE INDEX form_links_of_entry ON form_links (entry_id) WHERE entry_id IS NOT NULL;

-- What limits count.
CREATE INDEX form_entries_of_address ON form_entries (form_id, address, created_at DESC) WHERE address <> '';
CREATE INDEX form_entries_of_email ON form_entries (form_id, lower(email), created_at DESC) WHERE email <> '';
CREATE INDEX form_entries_spam ON form_entries (created_at) WHERE state = 'spam';
CREATE INDEX form_drafts_of_entry ON form_drafts (entry_id) WHERE entry_id IS NOT NULL;
