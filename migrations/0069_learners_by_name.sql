-- no transaction
-- See 0068. In parts, so that nobody who learns meanwhile waits long.
UPDATE learners l SET name = u.name, email = u.email FROM users u WHERE u.id = l.user_id AND l.email = '' AND l.user_id % 8 = 0;
UPDATE learners l SET name = u.name, email = u.email FROM users u WHERE u.id = l.user_id AND l.email = '' AND l.user_id % 8 = 1;
UPDATE learners l SET name = u.name, email = u.email FROM users u WHERE u.id = l.user_id AND l.email = '' AND l.user_id % 8 = 2;
UPDATE learners l SET name = u.name, email = u.email FROM users u WHERE u.id = l.user_id AND l.email = '' AND l.user_id % 8 = 3;
UPDATE learners l SET name = u.name, email = u.email FROM users u WHERE u.id = l.user_id AND l.email = '' AND l.user_id % 8 = 4;
UPDATE learners l SET name = u.name, email = u.email FROM users u WHERE u.id = l.user_id AND l.email = '' AND l.user_id % 8 = 5;
UPDATE learners l SET name = u.name, email = u.email FROM users u WHERE u.id = l.user_id AND l.email = '' AND l.user_id % 8 = 6;
UPDATE learners l SET name = u.name, email = u.email FROM users u WHERE u.id = l.user_id AND l.email = '' AND l.user_id % 8 = 7;
CREATE INDEX CONCURRENTLY IF NOT EXISTS learners_name ON learners (lower(name), user_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS learners_email ON learners (lower(email), user_id);
ANALYZE learners;
ANALYZE mails;
