-- How often a job that is suspected of killing its workers was begun alone (app/core/queue.py). Rows live for seconds.
CREATE TABLE lone_runs (
    job_id bigint PRIMARY KEY,
    begun integer NOT NULL,
    was_put_off boolean NOT NULL DEFAULT false
);
