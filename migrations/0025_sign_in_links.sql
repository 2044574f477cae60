-- Links that sign in, by mail. Owned by app/accounts. A table of their own: unlike the other one-time links they know
-- which browser asked for them, and where that one wanted to go.
CREATE TABLE sign_in_links (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    -- Where it was mailed to: it opens nothing any more once the account has another address.
    email text NOT NULL,
    -- Hash of the cookie of the browser that asked, what that browser calls itself, and its address.
    browser_hash bytea NOT NULL,
    user_agent text NOT NULL,
    address text NOT NULL,
    onward text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX sign_in_links_user ON sign_in_links (user_id);
CREATE INDEX sign_in_links_expiry ON sign_in_links (expires_at);
