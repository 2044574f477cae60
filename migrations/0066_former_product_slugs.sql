-- The names that a product had in addresses before (owned by app/catalogue): a form that sells it by one of them goes on doing so.
ALTER TABLE products ADD COLUMN former_slugs text[] NOT NULL DEFAULT '{}';
