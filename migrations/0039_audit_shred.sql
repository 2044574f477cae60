-- The same as in 0021 with its parameters called by their full names: a column of audit_log has the name of one since.

CREATE OR REPLACE FUNCTION audit_shred(person_id bigint, person_public_id text, words text[], by_actor_id bigint, at timestamptz)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    touched integer;
BEGIN
    PERFORM set_config('lectern.audit_shred', 'on', true);
    WITH found AS (
        SELECT l.id,
               CASE WHEN l.actor_id = audit_shred.person_id THEN NULL ELSE l.address END AS address,
               CASE WHEN l.actor_id = audit_shred.person_id THEN NULL ELSE l.user_agent END AS user_agent,
               CASE WHEN audit_holds(l.summary, audit_shred.words) THEN '[erased]' ELSE l.summary END AS summary,
               audit_erased(l.before, audit_shred.words, l.subject_type IN ('person', 'user') AND l.subject_id = audit_shred.person_public_id) AS before,
               audit_erased(l.after, audit_shred.words, l.subject_type IN ('person', 'user') AND l.subject_id = audit_shred.person_public_id) AS after
        FROM audit_log l
        WHERE l.actor_id = audit_shred.person_id
           OR (l.subject_type IN ('person', 'user') AND l.subject_id = audit_shred.person_public_id)
           OR audit_holds(l.summary || ' ' || coalesce(CAST(l.before AS text), '') || ' ' || coalesce(CAST(l.after AS text), ''), audit_shred.words)
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
    VALUES (audit_shred.by_actor_id, 'audit.shred', 'person', audit_shred.person_public_id, '', jsonb_build_object('rows', touched), audit_shred.at);
    RETURN touched;
END $$;
