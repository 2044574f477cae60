-- Owned by app/formbuilder.

-- Whoever looks at a form that is being tried counts once: a mark of each, of which nobody can be told, as long as the trial runs.
CREATE TABLE form_trial_people (
    trial_id bigint NOT NULL REFERENCES form_trials ON DELETE CASCADE,
    mark bytea NOT NULL,
    PRIMARY KEY (trial_id, mark)
);

-- The inbox tells how many entries of its form are held as spam.
CREATE INDEX form_entries_spam_of_form ON form_entries (form_id) WHERE state = 'spam';
