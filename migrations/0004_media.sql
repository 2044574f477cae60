-- Owned by app/media.

CREATE TABLE uploads (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    owner_id bigint REFERENCES users ON DELETE SET NULL,
    kind text NOT NULL CHECK (kind IN ('image', 'video', 'captions', 'file')),
    storage_key text NOT NULL UNIQUE,
    file_name text NOT NULL,
    content_type text NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
    -- SHA-256 of the content, hexadecimal; '' until it is stored.
    checksum text NOT NULL,
    -- 'storing' names bytes that may be on their way or lost; nobody sees it, and it is swept after a day.
    state text NOT NULL DEFAULT 'stored' CHECK (state IN ('storing', 'stored')),
    width integer,
    height integer,
    duration_seconds integer,
    -- Public files (logos, course pictures) may be shown to anyone; others only by a signed address.
    is_public boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL
);
CREATE INDEX uploads_newest ON uploads (created_at DESC, id DESC);
CREATE INDEX uploads_storing ON uploads (created_at) WHERE state = 'storing';
