"""Being found: what search engines may read, and what there is to read."""
