-- Owned by app/access: the ledger of who may use what, from when, until when, and why.

CREATE TABLE entitlements (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    product_id bigint NOT NULL REFERENCES products ON DELETE RESTRICT,
    source text NOT NULL CHECK (source IN ('order', 'free', 'manual', 'import')),
    -- What made it: an order line 'order:<public id>:<line id>', 'free:<user>:<product>', 'manual:<id>'. One cause, one row.
    source_ref text NOT NULL UNIQUE,
    -- For people: the order's number, the reason that was typed.
    note text NOT NULL DEFAULT '',
    granted_by bigint REFERENCES users ON DELETE SET NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    closed_at timestamptz,
    closed_reason text,
    created_at timestamptz NOT NULL,
    CHECK ((closed_at IS NULL) = (closed_reason IS NULL))
);
-- In byte order, to find what one order made: 'order:<public id>:…'.
CREATE INDEX entitlements_ref ON entitlements (source_ref text_pattern_ops);
CREATE INDEX entitlements_user ON entitlements (user_id, product_id);
CREATE INDEX entitlements_product ON entitlements (product_id) WHERE closed_at IS NULL;
