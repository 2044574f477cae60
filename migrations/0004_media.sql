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
    checksum text NOT NULL,
    width integer,
    height integer,
    duration_seconds integer,
    -- Public files (logos, course pictures) may be shown to anyone; others only by a signed address.
    is_public boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL
);
CREATE INDEX uploads_newest ON uploads (created_at DESC, id DESC);
