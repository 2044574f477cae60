-- Owned by app/learning: who learns what, and how far.

CREATE TABLE enrolments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    course_id bigint NOT NULL REFERENCES courses ON DELETE CASCADE,
    enrolled_at timestamptz NOT NULL,
    last_activity_at timestamptz,
    -- The lesson last opened; 'continue' starts looking here.
    last_lesson_id bigint REFERENCES lessons ON DELETE SET NULL,
    completed_at timestamptz,
    -- Lessons completed; the percentage is computed against the course's published lessons.
    completed_count integer NOT NULL DEFAULT 0,
    UNIQUE (user_id, course_id)
);
CREATE INDEX enrolments_course ON enrolments (course_id, enrolled_at DESC);
CREATE INDEX enrolments_newest ON enrolments (enrolled_at DESC, id DESC);

CREATE TABLE lesson_progress (
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    lesson_id bigint NOT NULL REFERENCES lessons ON DELETE CASCADE,
    course_id bigint NOT NULL REFERENCES courses ON DELETE CASCADE,
    position_seconds integer NOT NULL DEFAULT 0 CHECK (position_seconds >= 0),
    first_opened_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    completed_at timestamptz,
    PRIMARY KEY (user_id, lesson_id)
);
CREATE INDEX lesson_progress_course ON lesson_progress (course_id, user_id);

-- One row a member and day with activity: "active learners" is a count of these.
CREATE TABLE learner_days (
    on_date date NOT NULL,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    PRIMARY KEY (on_date, user_id)
);
-- For the removal of a lesson.
CREATE INDEX lesson_progress_lesson ON lesson_progress (lesson_id);
CREATE INDEX enrolments_last_lesson ON enrolments (last_lesson_id);
