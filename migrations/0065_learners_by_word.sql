-- no transaction
-- See 0064. In parts, so that nobody who learns meanwhile waits long.
UPDATE learners l SET words = u.words FROM users u WHERE u.id = l.user_id AND l.words = '' AND l.user_id % 8 = 0;
UPDATE learners l SET words = u.words FROM users u WHERE u.id = l.user_id AND l.words = '' AND l.user_id % 8 = 1;
UPDATE learners l SET words = u.words FROM users u WHERE u.id = l.user_id AND l.words = '' AND l.user_id % 8 = 2;
UPDATE learners l SET words = u.words FROM users u WHERE u.id = l.user_id AND l.words = '' AND l.user_id % 8 = 3;
UPDATE learners l SET words = u.words FROM users u WHERE u.id = l.user_id AND l.words = '' AND l.user_id % 8 = 4;
UPDATE learners l SET words = u.words FROM users u WHERE u.id = l.user_id AND l.words = '' AND l.user_id % 8 = 5;
UPDATE learners l SET words = u.words FROM users u WHERE u.id = l.user_id AND l.words = '' AND l.user_id % 8 = 6;
UPDATE learners l SET words = u.words FROM users u WHERE u.id = l.user_id AND l.words = '' AND l.user_id % 8 = 7;
CREATE INDEX CONCURRENTLY IF NOT EXISTS learners_by_word ON learners USING gin (words) WITH (gin_pending_list_limit = 256);
CREATE INDEX CONCURRENTLY IF NOT EXISTS learners_by_beginning ON learners USING gin (word_beginnings(words)) WITH (gin_pending_list_limit = 256);
ANALYZE learners;
