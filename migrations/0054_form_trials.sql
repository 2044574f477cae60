-- Where people leave a form of one page, and two versions of a form tried against each other (owned by app/formbuilder).

-- A page that was touched and left, told by its stamp: which question was touched last. Nothing of who it was, nothing typed.
-- Once the page is sent after all, its entry has the same stamp.
CREATE TABLE form_left (
    form_id bigint NOT NULL REFERENCES forms ON DELETE CASCADE,
    stamp bytea NOT NULL,
    field_id text NOT NULL,
    left_at timestamptz NOT NULL,
    PRIMARY KEY (form_id, stamp)
);
CREATE INDEX form_left_newest ON form_left (form_id, left_at DESC);
CREATE INDEX form_left_old ON form_left (left_at);

CREATE TABLE form_trials (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    form_id bigint NOT NULL REFERENCES forms ON DELETE CASCADE,
    -- What was live when it began, and what is tried against it.
    a_version_id bigint NOT NULL REFERENCES form_versions,
    b_version_id bigint NOT NULL REFERENCES form_versions,
    -- After so many views of each it is looked at: decided before it begins.
    planned integer NOT NULL CHECK (planned > 0),
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    winner text CHECK (winner IN ('a', 'b')),
    CHECK (a_version_id <> b_version_id),
    CHECK (winner IS NULL OR ended_at IS NOT NULL)
);
CREATE UNIQUE INDEX form_trials_running ON form_trials (form_id) WHERE ended_at IS NULL;
CREATE INDEX form_trials_of_form ON form_trials (form_id, id DESC);
CREATE INDEX form_trials_a ON form_trials (a_version_id);
CREATE INDEX form_trials_b ON form_trials (b_version_id);
-- How often each was shown, apart from what pages depend on. What was sent are the entries of these versions since it began.
CREATE TABLE form_trial_views (
    trial_id bigint NOT NULL REFERENCES form_trials ON DELETE CASCADE,
    arm text NOT NULL CHECK (arm IN ('a', 'b')),
    seen bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (trial_id, arm)
);
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON form_trials
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change();
CREATE INDEX form_entries_of_version ON form_entries (version_id, created_at);
