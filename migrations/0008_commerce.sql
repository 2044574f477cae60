-- Owned by app/commerce: the act of buying.

CREATE TABLE carts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The cart cookie, hashed; NULL once the cart belongs to a member.
    token_hash bytea UNIQUE,
    user_id bigint UNIQUE REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK (token_hash IS NOT NULL OR user_id IS NOT NULL)
);
CREATE INDEX carts_updated ON carts (updated_at);

CREATE TABLE cart_items (
    cart_id bigint NOT NULL REFERENCES carts ON DELETE CASCADE,
    product_id bigint NOT NULL REFERENCES products ON DELETE CASCADE,
    -- The price that the buyer last said yes to; a higher one needs a new yes.
    agreed_minor bigint NOT NULL CHECK (agreed_minor >= 0),
    agreed_currency text NOT NULL,
    added_at timestamptz NOT NULL,
    PRIMARY KEY (cart_id, product_id)
);

CREATE SEQUENCE order_numbers START 1001;

CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    number bigint NOT NULL UNIQUE DEFAULT nextval('order_numbers'),
    -- NULL until a guest's payment made an account.
    user_id bigint REFERENCES users ON DELETE SET NULL,
    cart_id bigint REFERENCES carts ON DELETE SET NULL,
    email text NOT NULL,
    name text NOT NULL DEFAULT '',
    state text NOT NULL CHECK (state IN
        ('pending', 'processing', 'paid', 'failed', 'expired', 'cancelled', 'partially_refunded', 'refunded')),
    currency text NOT NULL,
    subtotal_minor bigint NOT NULL CHECK (subtotal_minor >= 0),
    tax_minor bigint NOT NULL CHECK (tax_minor >= 0),
    tax_percent numeric(6, 3) NOT NULL DEFAULT 0,
    tax_label text NOT NULL DEFAULT '',
    total_minor bigint NOT NULL CHECK (total_minor >= 0),
    refunded_minor bigint NOT NULL DEFAULT 0 CHECK (refunded_minor >= 0 AND refunded_minor <= total_minor),
    -- Hash of who buys what for how much, out of which cart. While such an order is open, asking for it again (a double
    -- click, a second tab) finds it instead of making another.
    quote_key text NOT NULL,
    -- Part of the idempotency key; rises when Stripe answered with a fault, which it would repeat for the same key.
    checkout_attempt integer NOT NULL DEFAULT 1,
    stripe_session_id text UNIQUE,
    stripe_session_url text,
    stripe_payment_intent_id text UNIQUE,
    -- The card, as the receipt shows it: brand and last four.
    payment_method text NOT NULL DEFAULT '',
    failure text NOT NULL DEFAULT '',
    -- Set when a payment does not fit the order (another amount or currency): nothing is opened, a person must look.
    flag text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    paid_at timestamptz,
    closed_at timestamptz
);
CREATE INDEX orders_newest ON orders (created_at DESC, id DESC);
CREATE INDEX orders_user ON orders (user_id, created_at DESC);
CREATE INDEX orders_state ON orders (state, created_at DESC, id DESC);
CREATE INDEX orders_paid ON orders (paid_at) WHERE paid_at IS NOT NULL;
CREATE INDEX orders_email ON orders (lower(email));
CREATE INDEX orders_total ON orders (total_minor, id);
CREATE UNIQUE INDEX orders_open_quote ON orders (quote_key) WHERE state IN ('pending', 'processing');
CREATE INDEX orders_open ON orders (created_at) WHERE state IN ('pending', 'processing');
CREATE INDEX orders_cart ON orders (cart_id);

CREATE TABLE order_items (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES orders ON DELETE CASCADE,
    product_id bigint NOT NULL REFERENCES products ON DELETE RESTRICT,
    -- As sold: later edits of the product do not change the receipt.
    title text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    tax_minor bigint NOT NULL CHECK (tax_minor >= 0),
    UNIQUE (order_id, product_id)
);
CREATE INDEX order_items_product ON order_items (product_id);

-- The timeline of an order: one row a thing that happened.
CREATE TABLE order_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES orders ON DELETE CASCADE,
    kind text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}',
    actor_id bigint REFERENCES users ON DELETE SET NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX order_events_order ON order_events (order_id, id);

CREATE TABLE refunds (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    order_id bigint NOT NULL REFERENCES orders ON DELETE RESTRICT,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    reason text NOT NULL DEFAULT '',
    state text NOT NULL CHECK (state IN ('pending', 'succeeded', 'failed')),
    -- Part of the idempotency key, as with orders.
    attempt integer NOT NULL DEFAULT 1,
    stripe_refund_id text UNIQUE,
    error text NOT NULL DEFAULT '',
    requested_by bigint REFERENCES users ON DELETE SET NULL,
    created_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX refunds_order ON refunds (order_id, id);
CREATE INDEX refunds_pending ON refunds (created_at) WHERE state = 'pending';
