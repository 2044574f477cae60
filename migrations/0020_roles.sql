-- Custom roles: sets of capabilities that an owner puts together. Owned by app/accounts; the built-in ones are in its code.

CREATE TABLE roles (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE
        CHECK (key ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(key) <= 60)
        CHECK (key NOT IN ('owner', 'admin', 'instructor', 'support', 'member')),
    name text NOT NULL CHECK (btrim(name) <> ''),
    description text NOT NULL DEFAULT '',
    capabilities text[] NOT NULL DEFAULT '{}',
    revision integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX roles_name ON roles (lower(name));

-- A role is held under its key. A foreign key would need the built-in ones as rows, so two triggers stand for it.
ALTER TABLE users DROP CONSTRAINT users_role_check;
ALTER TABLE users ADD CONSTRAINT users_role_key CHECK (role ~ '^[a-z0-9]+(-[a-z0-9]+)*$') NOT VALID;

CREATE FUNCTION require_role() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM roles WHERE key = NEW.role FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no role %', NEW.role USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER users_role_exists AFTER INSERT OR UPDATE OF role ON users FOR EACH ROW
    WHEN (NEW.role NOT IN ('owner', 'admin', 'instructor', 'support', 'member'))
    EXECUTE FUNCTION require_role();

CREATE FUNCTION keep_held_role() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM users WHERE role = OLD.key AND role <> 'member') THEN
        RAISE EXCEPTION 'somebody holds the role %', OLD.key USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER roles_held BEFORE DELETE ON roles FOR EACH ROW EXECUTE FUNCTION keep_held_role();
CREATE TRIGGER roles_held_key BEFORE UPDATE OF key ON roles FOR EACH ROW
    WHEN (OLD.key IS DISTINCT FROM NEW.key) EXECUTE FUNCTION keep_held_role();
