-- The audit log: as whom somebody acted and with which browser; nothing is changed or removed but by audit_shred.

ALTER TABLE audit_log ADD COLUMN acting_as_id bigint;
ALTER TABLE audit_log ADD COLUMN user_agent text;
COMMENT ON COLUMN audit_log.actor_id IS 'who really acted; NULL is the school itself or a visitor';
COMMENT ON COLUMN audit_log.acting_as_id IS 'as whom, while acting as another person';

-- Whether `new` is `old` with some values replaced by "[erased]": the same names, the same lengths, nothing else.
CREATE FUNCTION audit_only_erased(old jsonb, new jsonb) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF old IS NOT DISTINCT FROM new THEN
        RETURN true;
    ELSIF old IS NULL OR new IS NULL THEN
        RETURN false;
    ELSIF jsonb_typeof(old) = 'object' AND jsonb_typeof(new) = 'object' THEN
        RETURN (SELECT count(*) FROM jsonb_object_keys(old)) = (SELECT count(*) FROM jsonb_object_keys(new))
           AND NOT EXISTS (SELECT 1 FROM jsonb_each(old) o
                           WHERE NOT (new ? o.key AND audit_only_erased(o.value, new -> o.key)));
    ELSIF jsonb_typeof(old) = 'array' AND jsonb_typeof(new) = 'array' THEN
        RETURN jsonb_array_length(old) = jsonb_array_length(new)
           AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(old) WITH ORDINALITY o (value, n)
                           WHERE NOT audit_only_erased(o.value, new -> CAST(o.n - 1 AS integer)));
    END IF;
    RETURN new = '"[erased]"' AND jsonb_typeof(old) <> 'null';
END $$;

CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- The one exception: audit_shred, below, and even that may only take values away.
    IF TG_OP = 'UPDATE' AND current_setting('lectern.audit_shred', true) = 'on' THEN
        IF (OLD.id, OLD.actor_id, OLD.acting_as_id, OLD.request_id, OLD.action, OLD.subject_type, OLD.subject_id, OLD.created_at)
           IS NOT DISTINCT FROM
           (NEW.id, NEW.actor_id, NEW.acting_as_id, NEW.request_id, NEW.action, NEW.subject_type, NEW.subject_id, NEW.created_at)
           AND (NEW.address IS NULL OR NEW.address = OLD.address)
           AND (NEW.user_agent IS NULL OR NEW.user_agent = OLD.user_agent)
           AND NEW.summary IN (OLD.summary, '[erased]')
           AND audit_only_erased(OLD.before, NEW.before) AND audit_only_erased(OLD.after, NEW.after)
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'integrity_constraint_violation';
END $$;
-- The trigger of rows, for UPDATE and DELETE, is of 0002.
CREATE TRIGGER audit_log_not_emptied BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

-- `value` without what is personal: texts that hold one of the words; and, of a row about the person, every text but
-- those under a name that tells nothing of a life.
CREATE FUNCTION audit_erased(value jsonb, words text[], is_personal boolean) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    CASE jsonb_typeof(value)
        WHEN 'object' THEN
            RETURN (SELECT coalesce(jsonb_object_agg(o.key, audit_erased(o.value, words, is_personal AND o.key !~
                        '^(role|state|source|product|course|plan|method|kind|capabilities|until|cause|.*_(at|on|id))$')), '{}')
                    FROM jsonb_each(value) o);
        WHEN 'array' THEN
            RETURN (SELECT coalesce(jsonb_agg(audit_erased(o.value, words, is_personal) ORDER BY o.n), '[]')
                    FROM jsonb_array_elements(value) WITH ORDINALITY o (value, n));
        WHEN 'string' THEN
            IF is_personal OR audit_holds(value #>> '{}', words) THEN
                RETURN '"[erased]"';
            END IF;
            RETURN value;
        ELSE
            RETURN value;
    END CASE;
END $$;

-- Whether a text holds one of the words (an email address, a full name), in whatever case.
CREATE FUNCTION audit_holds(text, words text[]) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(bool_or(length(word) > 2 AND strpos(lower($1), lower(word)) > 0), false) FROM unnest(words) word
$$;

-- Takes what is personal of one person out of the log and notes that it did: who acted when on what stays. Gives the
-- number of rows that changed. `words` are texts that name the person: email addresses, the full name. Reads the whole
-- log, so it belongs into a job. The only way to change a row.
CREATE FUNCTION audit_shred(person_id bigint, person_public_id text, words text[], by_actor_id bigint, at timestamptz)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    touched integer;
BEGIN
    PERFORM set_config('lectern.audit_shred', 'on', true);
    WITH found AS (
        SELECT l.id,
               CASE WHEN l.actor_id = person_id THEN NULL ELSE l.address END AS address,
               CASE WHEN l.actor_id = person_id THEN NULL ELSE l.user_agent END AS user_agent,
               CASE WHEN audit_holds(l.summary, words) THEN '[erased]' ELSE l.summary END AS summary,
               audit_erased(l.before, words, l.subject_type IN ('person', 'user') AND l.subject_id = person_public_id) AS before,
               audit_erased(l.after, words, l.subject_type IN ('person', 'user') AND l.subject_id = person_public_id) AS after
        FROM audit_log l
        WHERE l.actor_id = person_id
           OR (l.subject_type IN ('person', 'user') AND l.subject_id = person_public_id)
           OR audit_holds(l.summary || ' ' || coalesce(CAST(l.before AS text), '') || ' ' || coalesce(CAST(l.after AS text), ''), words)
    )
    UPDATE audit_log l
    SET address = f.address, user_agent = f.user_agent, summary = f.summary, before = f.before, after = f.after
    FROM found f
    WHERE l.id = f.id
      AND (l.address, l.user_agent, l.summary, l.before, l.after)
          IS DISTINCT FROM (f.address, f.user_agent, f.summary, f.before, f.after);
    GET DIAGNOSTICS touched = ROW_COUNT;
    PERFORM set_config('lectern.audit_shred', '', true);
    INSERT INTO audit_log (actor_id, action, subject_type, subject_id, summary, after, created_at)
    VALUES (by_actor_id, 'audit.shred', 'person', person_public_id, '', jsonb_build_object('rows', touched), at);
    RETURN touched;
END $$;
REVOKE ALL ON FUNCTION audit_shred(bigint, text, text[], bigint, timestamptz) FROM PUBLIC;
