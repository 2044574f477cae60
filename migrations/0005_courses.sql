-- Owned by app/courses: what is taught.

CREATE TABLE topics (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    position integer NOT NULL DEFAULT 0
);

CREATE TABLE courses (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    slug text NOT NULL UNIQUE,
    title text NOT NULL,
    -- What one can do after it, in one sentence; the lead of the course page.
    promise text NOT NULL DEFAULT '',
    -- A line for lists.
    summary text NOT NULL DEFAULT '',
    level text NOT NULL DEFAULT 'beginner' CHECK (level IN ('beginner', 'intermediate', 'advanced')),
    language text NOT NULL DEFAULT 'en',
    topic_id bigint REFERENCES topics ON DELETE SET NULL,
    instructor_id bigint REFERENCES users ON DELETE SET NULL,
    state text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'published', 'archived')),
    -- The state before it was archived, so that this can be undone.
    archived_from text CHECK (archived_from IN ('draft', 'published')),
    outcomes text[] NOT NULL DEFAULT '{}',
    audience text[] NOT NULL DEFAULT '{}',
    not_for text[] NOT NULL DEFAULT '{}',
    included text[] NOT NULL DEFAULT '{}',
    -- [{"question": …, "answer": …}]
    faq jsonb NOT NULL DEFAULT '[]',
    -- A file under static/art, a path of an upload, or '' for a plate drawn from the slug.
    plate text NOT NULL DEFAULT '',
    plate_ground text NOT NULL DEFAULT '',
    position integer NOT NULL DEFAULT 0,
    -- Kept by the verbs of sections and lessons, so that lists need no counting.
    lesson_count integer NOT NULL DEFAULT 0,
    duration_seconds integer NOT NULL DEFAULT 0,
    preview_count integer NOT NULL DEFAULT 0,
    -- Rises with every save; a form that was opened before somebody else's save is refused.
    revision integer NOT NULL DEFAULT 1,
    published_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    search tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('english', title), 'A')
        || setweight(to_tsvector('english', promise || ' ' || summary), 'B')
    ) STORED
);
CREATE INDEX courses_search ON courses USING gin (search);
CREATE INDEX courses_published ON courses (position, id) WHERE state = 'published';
CREATE INDEX courses_instructor ON courses (instructor_id);

CREATE TABLE sections (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    course_id bigint NOT NULL REFERENCES courses ON DELETE CASCADE,
    title text NOT NULL,
    position integer NOT NULL,
    UNIQUE (course_id, position) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE lessons (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    course_id bigint NOT NULL REFERENCES courses ON DELETE CASCADE,
    section_id bigint NOT NULL REFERENCES sections ON DELETE CASCADE,
    slug text NOT NULL,
    title text NOT NULL,
    summary text NOT NULL DEFAULT '',
    kind text NOT NULL CHECK (kind IN ('text', 'video')),
    body_markdown text NOT NULL DEFAULT '',
    -- Rendered and cleaned at save, so that showing a lesson costs no parsing.
    body_html text NOT NULL DEFAULT '',
    video_id bigint REFERENCES uploads ON DELETE SET NULL,
    captions_id bigint REFERENCES uploads ON DELETE SET NULL,
    poster_id bigint REFERENCES uploads ON DELETE SET NULL,
    -- [{"start": seconds, "text": …}], from the captions
    transcript jsonb NOT NULL DEFAULT '[]',
    duration_seconds integer NOT NULL DEFAULT 0,
    is_preview boolean NOT NULL DEFAULT false,
    state text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'published')),
    -- Order within the section.
    position integer NOT NULL,
    revision integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (course_id, slug),
    UNIQUE (section_id, position) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX lessons_course ON lessons (course_id);
CREATE INDEX lessons_section ON lessons (section_id);
