-- Tells every web process, at commit, that a table which public pages show has changed, whoever changed it: an edit in
-- the back office, a job, the seed, psql. Identical announcements of one transaction are sent once.

CREATE FUNCTION announce_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('changes', TG_TABLE_NAME);
    RETURN NULL;
END $$;

CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON settings
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change();
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON uploads
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change();
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON topics
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change();
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON courses
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change();
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sections
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change();
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON lessons
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change();
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON products
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change();
CREATE TRIGGER announce_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON prices
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change();

-- People come, sign in and go all day long, and no public page shows them until a course names them: that change, and
-- their removal from it, is the course's. So only what is written about somebody counts; any new column does.
CREATE TRIGGER announce_change AFTER UPDATE ON users
    FOR EACH ROW
    WHEN (to_jsonb(old) - CAST('{email,password_hash,email_verified_at,country,time_zone,last_seen_at}' AS text[])
          IS DISTINCT FROM
          to_jsonb(new) - CAST('{email,password_hash,email_verified_at,country,time_zone,last_seen_at}' AS text[]))
    EXECUTE FUNCTION announce_change();
CREATE TRIGGER announce_emptying AFTER TRUNCATE ON users
    FOR EACH STATEMENT EXECUTE FUNCTION announce_change();
