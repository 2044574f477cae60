-- What follows from an entry: its score, its mails, its payment (owned by app/formbuilder), and lines of orders without a product.

ALTER TABLE form_entries
    ADD COLUMN score numeric,
    ADD COLUMN outcome text NOT NULL DEFAULT '',
    -- What pays it. An order pays one entry.
    ADD COLUMN order_id bigint UNIQUE REFERENCES orders ON DELETE SET NULL,
    -- Its payment page closed, or another entry took its place: it holds nothing of a stock and counts for no limit.
    ADD COLUMN given_up_at timestamptz;
CREATE INDEX form_entries_unpaid ON form_entries (created_at) WHERE state = 'unpaid';

-- What became of each notification of an entry: a row is there once it was decided.
CREATE TABLE form_notifications (
    entry_id bigint NOT NULL REFERENCES form_entries ON DELETE CASCADE,
    -- The id in the form's definition.
    notification_id text NOT NULL CHECK (notification_id <> ''),
    -- 'skipped': its condition did not hold; 'nobody': there was no address; 'limited': too many to typed addresses.
    state text NOT NULL CHECK (state IN ('sent', 'skipped', 'nobody', 'limited')),
    recipients integer NOT NULL DEFAULT 0,
    sendings integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (entry_id, notification_id)
);

-- How much of an option with a stock an entry holds. Given back when its payment page expires.
CREATE TABLE form_stock (
    form_id bigint NOT NULL REFERENCES forms ON DELETE CASCADE,
    field_id text NOT NULL,
    option text NOT NULL,
    entry_id bigint NOT NULL REFERENCES form_entries ON DELETE CASCADE,
    quantity integer NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (form_id, field_id, option, entry_id)
);
CREATE INDEX form_stock_entry ON form_stock (entry_id);

-- A form sells things that are in no catalogue: a ticket, a gift of one's own measure.
ALTER TABLE order_items ALTER COLUMN product_id DROP NOT NULL;
