-- A file of a free lesson asks at each request whether it is still free; and removing an upload looks for its lessons.
CREATE INDEX lessons_video ON lessons (video_id) WHERE video_id IS NOT NULL;
CREATE INDEX lessons_captions ON lessons (captions_id) WHERE captions_id IS NOT NULL;
CREATE INDEX lessons_poster ON lessons (poster_id) WHERE poster_id IS NOT NULL;
