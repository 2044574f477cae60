-- The addresses that a form had before (owned by app/formbuilder): pages that are open, links in mails and payment pages lead there.
ALTER TABLE forms ADD COLUMN former_slugs text[] NOT NULL DEFAULT '{}';
