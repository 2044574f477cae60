-- Files that came with answers (owned by app/formbuilder). Without an entry a file waits for its form to be sent, or is left
-- over: what stays so is swept, its bytes and then its row.

CREATE TABLE form_entry_files (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- A secret of its sender until the entry is there: whoever names it may send it along.
    public_id text NOT NULL UNIQUE,
    form_id bigint REFERENCES forms ON DELETE SET NULL,
    field_id text NOT NULL,
    entry_id bigint REFERENCES form_entries ON DELETE SET NULL,
    storage_key text NOT NULL UNIQUE,
    file_name text NOT NULL,
    content_type text NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    checksum text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX form_entry_files_of_entry ON form_entry_files (entry_id) WHERE entry_id IS NOT NULL;
CREATE INDEX form_entry_files_loose ON form_entry_files (created_at) WHERE entry_id IS NULL;
CREATE INDEX form_entry_files_of_form ON form_entry_files (form_id);
