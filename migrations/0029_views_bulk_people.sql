-- Saved views and acts on many rows of the office's lists, owned by app/web; tags and notes of people, owned by app/accounts.

CREATE TABLE saved_views (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    -- The list by its name, where it was, and the filters and order of its address.
    list text NOT NULL,
    path text NOT NULL,
    query text NOT NULL,
    name text NOT NULL CHECK (btrim(name) <> ''),
    owner_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    is_shared boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX saved_views_name ON saved_views (owner_id, list, lower(name));
CREATE INDEX saved_views_shared ON saved_views (list) WHERE is_shared;

-- The view with which somebody opens a list.
CREATE TABLE default_views (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    list text NOT NULL,
    view_id bigint NOT NULL REFERENCES saved_views ON DELETE CASCADE,
    PRIMARY KEY (user_id, list)
);
CREATE INDEX default_views_view ON default_views (view_id);

-- An act on many rows: chosen (draft), begun (running), through (done). What was chosen is written down when it is chosen,
-- so that what was looked at beforehand is what is done.
CREATE TABLE bulk_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    list text NOT NULL,
    act text NOT NULL,
    options jsonb NOT NULL DEFAULT '{}',
    -- Who acts, as the audit log knows them: user_id, address, request_id, acting_as, user_agent.
    actor_id bigint NOT NULL,
    actor jsonb NOT NULL DEFAULT '{}',
    state text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'running', 'done')),
    undo_of bigint REFERENCES bulk_runs ON DELETE CASCADE,
    came_from text NOT NULL DEFAULT '',
    total integer NOT NULL DEFAULT 0,
    acted integer NOT NULL DEFAULT 0,
    skipped integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    began_at timestamptz,
    ended_at timestamptz
);
CREATE UNIQUE INDEX bulk_runs_undone_once ON bulk_runs (undo_of) WHERE undo_of IS NOT NULL;
CREATE INDEX bulk_runs_newest ON bulk_runs (created_at);

-- One row of such an act. `reason` is empty when it was done; `before` is what taking it back needs.
CREATE TABLE bulk_items (
    run_id bigint NOT NULL REFERENCES bulk_runs ON DELETE CASCADE,
    subject_id bigint NOT NULL,
    reason text,
    before jsonb,
    PRIMARY KEY (run_id, subject_id)
);
CREATE INDEX bulk_items_left ON bulk_items (run_id, subject_id) WHERE reason IS NULL;

ALTER TABLE users ADD COLUMN suspension_reason text NOT NULL DEFAULT '';

CREATE TABLE tags (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    name text NOT NULL CHECK (btrim(name) <> ''),
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX tags_name ON tags (lower(name));

CREATE TABLE user_tags (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    tag_id bigint NOT NULL REFERENCES tags ON DELETE CASCADE,
    PRIMARY KEY (user_id, tag_id)
);
CREATE INDEX user_tags_tag ON user_tags (tag_id, user_id DESC);

CREATE TABLE person_notes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    author_id bigint REFERENCES users ON DELETE SET NULL,
    body text NOT NULL CHECK (btrim(body) <> ''),
    created_at timestamptz NOT NULL
);
CREATE INDEX person_notes_user ON person_notes (user_id, created_at DESC, id DESC);
CREATE INDEX person_notes_author ON person_notes (author_id);

ALTER TABLE users
    -- Since when the person has to choose a new password before going on; NULL when there is no need.
    ADD COLUMN IF NOT EXISTS password_change_required_at timestamptz;
