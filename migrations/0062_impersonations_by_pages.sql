-- no transaction
-- The list of impersonations by how many pages were opened, also of some days.
CREATE INDEX CONCURRENTLY IF NOT EXISTS impersonations_visits ON impersonations (visits, id, started_at);
