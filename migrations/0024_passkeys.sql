-- What signing in with a passkey needs beside its key. Owned by app/accounts.

ALTER TABLE passkeys
    -- What the device calls the account: opaque, the same for all passkeys of a person.
    ADD COLUMN user_handle bytea NOT NULL,
    -- Whether it may be copied to other devices: fixed when it is made; is_backed_up says whether it was.
    ADD COLUMN is_backup_eligible boolean NOT NULL;

-- Challenges are signed, not kept; one that was answered is noted here until it is too old to be answered again.
CREATE TABLE used_challenges (
    challenge_hash bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX used_challenges_expiry ON used_challenges (expires_at);
