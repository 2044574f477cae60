-- Owned by app/catalogue: what is sold, and its price.

CREATE TABLE products (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id text NOT NULL UNIQUE,
    slug text NOT NULL UNIQUE,
    kind text NOT NULL CHECK (kind IN ('course')),
    title text NOT NULL,
    -- What a product of kind 'course' opens.
    course_id bigint UNIQUE REFERENCES courses ON DELETE CASCADE,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK (kind <> 'course' OR course_id IS NOT NULL)
);

-- A price is never changed: a new one replaces it, so that an old quote can still be read.
CREATE TABLE prices (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id bigint NOT NULL REFERENCES products ON DELETE CASCADE,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- Gross, in minor units; 0 is a free course.
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    created_at timestamptz NOT NULL,
    replaced_at timestamptz
);
CREATE UNIQUE INDEX prices_current ON prices (product_id) WHERE replaced_at IS NULL;
